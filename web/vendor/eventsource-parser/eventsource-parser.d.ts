export interface Message { id?: string; event?: string; data: string }
export function createParser(hooks: { onEvent(message: Message): void; onRetry?(milliseconds: number): void; onComment?(text: string): void; onError?(error: Error): void }): { feed(chunk: string): void; reset(options?: { consume?: boolean }): void };
