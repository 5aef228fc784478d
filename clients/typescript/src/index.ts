/** Client of a Background Remover service. */

import type { components } from "./schema.js";

export type Options = components["schemas"]["Options"];
export type JobStatus = components["schemas"]["JobStatus"];
export type Models = components["schemas"]["Models"];
type ErrorBody = Partial<components["schemas"]["Error"]> & { message?: string };
/** An image's bytes, as a `Buffer` of `readFile` too; give a `File` where its name matters. */
export type Image = Blob | ArrayBuffer | Uint8Array;

export interface Settings {
    apiKey?: string;
    /** How often 429, 503 and lost connections are tried again. */
    retries?: number;
    /** Seconds; a longer Retry-After is not waited for. */
    maxWait?: number;
    fetch?: typeof fetch;
}

export interface SubmitSettings {
    /** A submission that is sent again with the same key makes no second job. */
    idempotencyKey?: string;
}

/** An error of the service; `code` is stable. */
export class ApiError extends Error {
    readonly code: string;
    readonly details: string;
    readonly solution: string;
    readonly requestId: string;

    constructor(readonly status: number, body: ErrorBody, readonly retryAfter?: number) {
        super(body.error ?? body.message ?? `HTTP ${status}`);
        this.name = new.target.name;
        this.code = body.code ?? "unknown";
        this.details = body.details ?? "";
        this.solution = body.solution ?? "";
        this.requestId = body.request_id ?? "";
    }
}
/** The API key is missing, unknown, or not allowed to do this. */
export class KeyRefused extends ApiError {}
/** The caller's quota is used up; `retryAfter` is in seconds. */
export class QuotaExceeded extends ApiError {}
/** The service can't answer now. */
export class Unavailable extends ApiError {}
/** A job ended without a result: it failed or was cancelled. */
export class JobFailed extends ApiError {}

const KINDS: Record<number, typeof ApiError> = {
    401: KeyRefused, 403: KeyRefused, 429: QuotaExceeded, 503: Unavailable, 504: Unavailable,
};
// Not 504: the same image would take as long again.
const AGAIN = new Set([429, 503]);
const JITTER = 0.25;
const FIRST_SECONDS = 0.5;
const FIRST_POLL_SECONDS = 0.2;
const MAX_POLL_SECONDS = 3;

const sleep = (seconds: number): Promise<void> =>
    new Promise((done) => setTimeout(done, seconds * 1000 * (1 + Math.random() * JITTER)));

export class Client {
    private readonly base: string;

    constructor(url: string, private readonly settings: Settings = {}) {
        this.base = url.replace(/\/$/, "");
    }

    /** Return the image, or the one at `image_url`, without its background. */
    async remove(image: Image | null, options: Options = {}): Promise<Blob> {
        return (await this.send("POST", "/remove-background", form("file", single(image), options))).blob();
    }

    /** Submit a job of one image, or of the one at `image_url`; a worker does it. */
    submit(image: Image | null, options: Options = {}, more: SubmitSettings = {}): Promise<Job> {
        return this.submitted("/api/jobs/remove-bg", form("file", single(image), options), more);
    }

    /** Submit a job of many images or ZIP archives; its result is a ZIP archive. */
    submitBatch(images: Image[], options: Options = {}, more: SubmitSettings = {}): Promise<Job> {
        return this.submitted("/api/jobs/remove-bg-batch", form("files", images, options), more);
    }

    /** Return a job that was submitted earlier. */
    job(id: string): Job {
        return new Job(this, id);
    }

    async models(): Promise<Models> {
        return (await (await this.send("GET", "/models")).json()) as Models;
    }

    /** Send a request, and again where that helps; the answer has come whole. */
    async send(method: string, path: string, body?: FormData, headers: Record<string, string> = {}): Promise<Response> {
        const { apiKey, retries = 4, maxWait = 60, fetch: call = fetch } = this.settings;
        const all = apiKey ? { ...headers, Authorization: `Bearer ${apiKey}` } : headers;
        for (let attempt = 0; ; attempt++) {
            const backoff = FIRST_SECONDS * 2 ** attempt;
            let answer: Response;
            try {
                answer = await whole(await call(this.base + path, { method, headers: all, ...(body ? { body } : {}) }));
            } catch (lost) {
                // A lost connection is a TypeError; an `AbortSignal` of the caller's `fetch` is none.
                if (attempt >= retries || !(lost instanceof TypeError)) throw lost;
                await sleep(backoff);
                continue;
            }
            if (answer.ok) return answer;
            const error = await errorOf(answer);
            const wait = error.retryAfter ?? backoff;
            if (attempt >= retries || !AGAIN.has(error.status) || wait > maxWait) throw error;
            await sleep(wait);
        }
    }

    private async submitted(path: string, body: FormData, more: SubmitSettings): Promise<Job> {
        const headers = { "Idempotency-Key": more.idempotencyKey ?? crypto.randomUUID() };
        const answer = (await (await this.send("POST", path, body, headers)).json()) as { job_id: string };
        return this.job(answer.job_id);
    }
}

export class Job {
    constructor(private readonly client: Client, readonly id: string) {}

    async status(): Promise<JobStatus> {
        return (await (await this.client.send("GET", `/api/jobs/${this.id}`)).json()) as JobStatus;
    }

    /** Return the job's state once it has ended with a result, at least for some images; `timeout` is in seconds. */
    async wait(timeout = Infinity): Promise<JobStatus> {
        const end = Date.now() + timeout * 1000;
        for (let pause = FIRST_POLL_SECONDS; ; pause = Math.min(MAX_POLL_SECONDS, pause * 1.5)) {
            const found = await this.status();
            if (["finished", "failed", "cancelled"].includes(found.status)) {
                if (found.download_url !== null) return found;
                throw new JobFailed(200, (found.error ?? { code: found.status }) as ErrorBody);
            }
            if (Date.now() + pause * 1000 > end) throw new Error(`job ${this.id} is ${found.status} after ${timeout} s`);
            await sleep(pause);
        }
    }

    /** Wait, and return the image, or the ZIP archive of a batch. */
    async result(timeout = Infinity): Promise<Blob> {
        await this.wait(timeout);
        return (await this.client.send("GET", `/api/jobs/${this.id}/download`)).blob();
    }

    async cancel(): Promise<void> {
        await this.client.send("POST", `/api/jobs/${this.id}/cancel`);
    }

    async delete(): Promise<void> {
        await this.client.send("DELETE", `/api/jobs/${this.id}`);
    }

    /** Delete the files of one image; the job goes on with the others. `status()` has the ids, in `items`. */
    async deleteItem(itemId: string): Promise<void> {
        await this.client.send("DELETE", `/api/jobs/${this.id}/items/${itemId}`);
    }
}

function single(image: Image | null): Image[] {
    return image === null ? [] : [image];
}

function form(field: string, images: Image[], options: Options): FormData {
    const made = new FormData();
    images.forEach((image, index) => {
        const blob = image instanceof Blob ? image : new Blob([image as Uint8Array<ArrayBuffer>]);
        made.append(field, blob, blob instanceof File ? blob.name : `image-${index + 1}`);
    });
    for (const [name, value] of Object.entries(options)) {
        if (value !== undefined && value !== null) made.append(name, String(value));
    }
    return made;
}

/** Return an answer whose body is here already: a connection may be lost while it comes. */
async function whole(answer: Response): Promise<Response> {
    const body = await answer.blob();
    return new Response(body.size > 0 ? body : null, answer);
}

async function errorOf(answer: Response): Promise<ApiError> {
    const body = (await answer.json().catch(() => ({}))) as ErrorBody;
    const text = answer.headers.get("Retry-After") ?? "";
    const Kind = KINDS[answer.status] ?? ApiError;
    return new Kind(answer.status, body ?? {}, /^\d+$/.test(text) ? Number(text) : undefined);
}
