export class Directive { constructor(part: any); render(...values: any[]): unknown; update(part: any, values: any[]): unknown }
export function directive<Made extends new (part: any) => Directive>(made: Made): (...values: Parameters<InstanceType<Made>["render"]>) => unknown;
