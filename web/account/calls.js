// Requests of the account's page: JSON in and out, with the session's cookie.
import { errorOf, unreachable } from "../app/api.js";
import { language } from "../app/i18n/index.js";

const AUTH = "/api/v1/auth";
const ACCOUNT = "/api/v1/account";

/**
 * @typedef {{id: string, email: string, name: string, role: string, created_at: string, has_password: boolean}} Account
 * @typedef {{id: string, name: string, scopes: string[], state: string, created_at: string, last_used_at: string|null}} Key
 * @typedef {{month: {images: number}, totals: {requests: number, images: number, failures: number}}} Usage
 */

/** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} @throws {import("../app/api.js").ApiError} */
async function call(method, path, body) {
  // An email that follows is in the page's language.
  const headers = new Headers({ "Accept-Language": language.value === "xx" ? "en" : language.value });
  if (body) headers.set("Content-Type", "application/json");
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => { throw unreachable(); });
  if (!answer.ok) throw await errorOf(answer);
  return answer.status === 204 ? undefined : answer.json();
}

/** @param {string} email @param {string} password @returns {Promise<Account>} */
export const signIn = (email, password) => call("POST", `${AUTH}/login`, { email, password });
/** @param {string} name @param {string} email @param {string} password @returns {Promise<{mail: boolean}>} */
export const register = (name, email, password) => call("POST", `${AUTH}/register`, { name, email, password });
/** @param {string} token @param {string} password @returns {Promise<Account>} */
export const confirm = (token, password) => call("POST", `${AUTH}/confirm`, { token, password });
/** @param {string} email */
export const forgot = (email) => call("POST", `${AUTH}/forgot`, { email });
/** @param {string} token @param {string} password @returns {Promise<Account>} */
export const reset = (token, password) => call("POST", `${AUTH}/reset`, { token, new_password: password });
/** @param {string} token @param {string} password @param {string} name @returns {Promise<Account>} */
export const accept = (token, password, name) => call("POST", `${AUTH}/accept`, { token, password, name });
/** @param {boolean} everywhere */
export const signOut = (everywhere) => call("POST", `${AUTH}/logout${everywhere ? "?everywhere=true" : ""}`);
/** @returns {Promise<Account>} */
export const account = () => call("GET", ACCOUNT);
/** @param {string} password @param {string} next @returns {Promise<Account>} */
export const changePassword = (password, next) => call("POST", `${ACCOUNT}/password`, { password, new_password: next });
/** @param {string} password */
export const deleteAccount = (password) => call("DELETE", ACCOUNT, { password });
/** @returns {Promise<{keys: Key[]}>} */
export const keys = () => call("GET", `${ACCOUNT}/keys`);
/** @param {string} name @returns {Promise<{key: string}>} */
export const createKey = (name) => call("POST", `${ACCOUNT}/keys`, { name, scopes: ["remove", "jobs"] });
/** @param {string} id */
export const revokeKey = (id) => call("DELETE", `${ACCOUNT}/keys/${id}`);
/** @returns {Promise<Usage>} */
export const usage = () => call("GET", "/api/usage");
