// Uploads that say how far they are, which fetch can't.
import { ApiError, apiKey, errorFrom, reachable, request, unreachable } from "./api.js";

/**
 * POST a form. @param {string} path @param {FormData} body
 * @param {{headers?: {[name: string]: string}, signal?: AbortSignal, onProgress?: (share: number) => void}} [more] @returns {Promise<any>} the answer's JSON
 */
export async function upload(path, body, { headers = {}, signal, onProgress } = {}) {
  try {
    return await send(path, body, headers, signal, onProgress);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    // `request` asks for a key and repeats.
    return (await request(path, { method: "POST", body, headers, signal })).json();
  }
}

/** @param {string} path @param {FormData} body @param {{[name: string]: string}} headers @param {AbortSignal|undefined} signal @param {((share: number) => void)|undefined} onProgress */
function send(path, body, headers, signal, onProgress) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", path);
    call.responseType = "json";
    const key = apiKey();
    for (const [name, value] of Object.entries({ ...headers, ...(key ? { "X-Api-Key": key } : {}) })) call.setRequestHeader(name, value);
    if (onProgress) call.upload.onprogress = (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    call.onload = () => {
      reachable.value = true;
      if (call.status >= 200 && call.status < 300) resolve(call.response);
      else reject(errorFrom(call.status, call.response ?? {}, call.getResponseHeader("Retry-After")));
    };
    call.onerror = () => { reachable.value = false; reject(unreachable()); };
    call.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal?.addEventListener("abort", () => call.abort(), { once: true });
    call.send(body);
  });
}
