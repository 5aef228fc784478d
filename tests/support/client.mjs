// Drives the TypeScript client: an image, an option, errors, retries, a job, a batch; prints what came back as JSON.
import { readFile } from "node:fs/promises";

const [module, url, apiKey, path, source] = process.argv.slice(2);
const { ApiError, Client, KeyRefused, Unavailable } = await import(module);
const client = new Client(url, { apiKey });
const photo = new Blob([await readFile(path)]);
const head = async (blob) => Buffer.from(await blob.slice(0, 12).arrayBuffer()).toString("latin1");
const failure = (work) => work.then(() => null, (error) => error);

const bad = await failure(client.remove(photo, { format: "bmpp" }));
const refused = await failure(new Client(url, { apiKey: "wrong" }).submit(photo));
const broken = await failure((await client.submitBatch([new Blob(["no picture"])])).result(60));
const job = await client.submit(photo, {}, { idempotencyKey: "typescript-1" });
const again = await client.submit(photo, {}, { idempotencyKey: "typescript-1" });
const batch = await client.submitBatch([new File([photo], "a.jpg"), new File([photo], "b.jpg")]);
// Services that lose a connection, name a time to wait, and answer; and one whose time is too long.
const busy = (seconds) => new Response('{"code": "busy"}', { status: 503, headers: { "Retry-After": seconds } });
const turns = [() => Promise.reject(new TypeError("fetch failed")), () => busy("1"), () => Response.json({ models: [] })];
let calls = 0;
const started = Date.now();
const models = await new Client(url, { fetch: async () => turns[calls++]() }).models();
const waited = (Date.now() - started) / 1000;
// A body that is lost on its way comes whole with the next try; what the caller ends is not tried again.
const half = new ReadableStream({ start: (body) => body.error(new TypeError("terminated")) });
const bodies = [() => new Response(half), () => Response.json({ models: [1] })];
const resumed = await new Client(url, { fetch: async () => bodies.shift()() }).models();
let aborts = 0;
const ended = await failure(new Client(url, {
    fetch: (...words) => (aborts++, fetch(words[0], { ...words[1], signal: AbortSignal.abort() })),
}).models());
const late = await failure(new Client(url, { fetch: async () => busy("3600") }).models());
const [first] = (await batch.wait(60)).items;
await batch.deleteItem(first.item_id);
const left = (await batch.status()).items.map((item) => item.status);
console.log(JSON.stringify({
    png: await head(await client.remove(photo)),
    webp: await head(await client.remove(photo, { format: "webp", max_width: undefined })),
    bad: [bad instanceof ApiError, bad.status, bad.code, bad.solution !== ""],
    refused: refused instanceof KeyRefused,
    broken: broken.code,
    fetched: await head(await client.remove(null, { image_url: source })),
    retried: [calls, models.models.length, waited],
    late: [late instanceof Unavailable, late.retryAfter],
    resumed: resumed.models.length,
    ended: [ended.name, aborts],
    same: job.id === again.id,
    job: await head(await job.result(60)),
    zip: await head(await batch.result(60)),
    left,
}));
