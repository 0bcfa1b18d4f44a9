// Calls of the REST API. The page has no other access: any client can do what it does.
import { dataset } from "./dom.js";

const base = new URL(`${dataset.api}/`, document.baseURI);
const TIMEOUT = 20_000; // milliseconds
const LONGEST_PAUSE = 86_400; // seconds

// The server refused, or did not answer: then the status is 0.
export class Failure extends Error {
	constructor(status, error, retryAfter = 0) {
		super(error?.message ?? (status || ""));
		Object.assign(this, { status, details: error?.details ?? {}, retryAfter });
		this.isTemporary = [0, 408, 429, 502, 503, 504].includes(status);
	}
}

// Return { content, etag, next }: `next` is the cursor of the next page. Without a content, nothing
// has changed since the `If-None-Match` of the headers.
export async function call(method, path, { body, headers, signal, keepalive } = {}) {
	const signals = [AbortSignal.timeout(TIMEOUT), signal].filter(Boolean);
	let answer, text;
	try {
		answer = await fetch(new URL(path, base), {
			method,
			headers: body ? { "Content-Type": "application/json", ...headers } : headers,
			body: body && JSON.stringify(body),
			signal: AbortSignal.any(signals),
			cache: "no-store",
			redirect: "manual",
			keepalive,
		});
		text = await answer.text();
	} catch (error) {
		throw signal?.aborted ? error : new Failure(0);
	}
	const { headers: fields, ok, status, type } = answer;
	if (type === "opaqueredirect") {
		throw new Failure(401); // A login in front of the server leads to its own page.
	}
	let content;
	try {
		content = text && JSON.parse(text);
	} catch {
		throw new Failure(ok ? 502 : status); // A page of a proxy.
	}
	if (!ok && status !== 304) {
		// A date, which it can be too, counts as no wish.
		const pause = Math.min(fields.get("Retry-After"), LONGEST_PAUSE) || 0;
		throw new Failure(status, content?.error, pause);
	}
	const next = /[?&]after=([^&>]+)/.exec(fields.get("Link"))?.[1];
	return { content, etag: fields.get("ETag"), next };
}
