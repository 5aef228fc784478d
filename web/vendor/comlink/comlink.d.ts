export function wrap(endpoint: Worker): any;
export function expose(value: any, endpoint?: any): void;
export function transfer<T>(value: T, transferables: Transferable[]): T;
export function proxy<T>(value: T): T;
export const releaseProxy: unique symbol;
