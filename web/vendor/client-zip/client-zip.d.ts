export interface Entry { name: string; input: Blob | Response | string | ReadableStream; lastModified?: Date | number; size?: number }
export function downloadZip(entries: AsyncIterable<Entry> | Iterable<Entry>, options?: { metadata?: Iterable<Entry>; buffersAreUTF8?: boolean }): Response;
export function makeZip(entries: AsyncIterable<Entry> | Iterable<Entry>, options?: object): ReadableStream<Uint8Array>;
