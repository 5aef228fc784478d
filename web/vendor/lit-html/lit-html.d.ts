export interface TemplateResult { strings: TemplateStringsArray; values: unknown[] }
export interface RootPart { isConnected: boolean }
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => TemplateResult;
export const svg: (strings: TemplateStringsArray, ...values: unknown[]) => TemplateResult;
export const nothing: symbol;
export const noChange: symbol;
export function render(value: unknown, container: HTMLElement | DocumentFragment, options?: object): RootPart;
