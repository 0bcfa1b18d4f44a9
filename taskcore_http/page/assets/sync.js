// Sends the outbox, one entry after the other, and again while the server cannot be reached.
import { call, Failure } from "./api.js";
import { draw, emit, inTurn } from "./dom.js";
import { whoIs } from "./session.js";
import * as tasks from "./tasks.js";

const LONGEST_WAIT = 60_000; // milliseconds

export let state = "connected"; // or "unreachable", "signed_out"
let failures = 0;
let timer;

// Run calls, and note whether the server can be reached.
export async function reach(work) {
	try {
		const result = await work();
		// Reading can work while writing does not.
		failures = next() ? failures : 0;
		become("connected");
		return result;
	} catch (error) {
		if (error.isTemporary) {
			failures += 1;
			tryIn(Math.max(Math.min(500 * 2 ** failures, LONGEST_WAIT), error.retryAfter * 1000));
		}
		if (error instanceof Failure) {
			const other = error.isTemporary ? "unreachable" : "connected";
			become(error.status === 401 ? "signed_out" : other);
		}
		throw error;
	}
}

function become(now) {
	if (state !== now) {
		state = now;
		draw();
	}
}

// A hidden page asks nothing. It goes on when it is shown.
function tryIn(milliseconds) {
	clearTimeout(timer);
	timer = setTimeout(() => document.hidden || emit("retry"), milliseconds);
}

// Return when everything that can be sent is.
export const send = inTurn(async () => {
	if (tasks.user === undefined) {
		return;
	}
	try {
		tasks.read();
		if (next()) {
			while (next()) {
				await reach(() => deliver(next()));
				failures = 0;
			}
			await reach(tasks.recount);
		}
	} catch (error) {
		if (!(error instanceof Failure)) {
			throw error;
		}
	}
});

// The first entry that can be sent.
const next = () => tasks.entries.find(sendable());

// What concerns one task is sent in order.
function sendable() {
	const busy = new Set();
	return ({ ids, problem, isHeld }) => {
		const isFree = !ids.some(id => busy.has(id));
		ids.forEach(id => busy.add(id));
		return isFree && !problem && !isHeld;
	};
}

async function deliver(entry) {
	try {
		const { content } = await request(entry);
		const stored = entry.kind === "remove" ? [] : [content].flat();
		if (entry.kind !== "remove" && entry.ids.some((_, n) => !stored[n]?.id)) {
			throw new Failure(502); // A proxy has answered.
		}
		tasks.confirm(entry, stored);
	} catch (error) {
		if (!(error instanceof Failure) || error.isTemporary || error.status === 401) {
			throw error;
		}
		await settle(entry, error);
	}
}

function request({ kind, ids, changes, version }, options) {
	if (kind === "create") {
		const { completed, ...body } = changes;
		return call("POST", tasks.path, { body });
	}
	if (version !== undefined) {
		const headers = { "If-Match": `"${version}"` };
		return call("PATCH", `${tasks.path}/${ids}`, { body: changes, headers });
	}
	const method = kind === "remove" ? "DELETE" : "PATCH";
	return call(method, `${tasks.path}?ids=${ids}`, { body: changes, ...options });
}

// Decide what becomes of an entry that the server refuses.
async function settle(entry, error) {
	// By somebody else, or by an attempt whose answer was lost.
	const gone = entry.ids.filter(id => error.details.ids?.includes(id));
	if (error.status === 404 && (await whoIs()) !== tasks.user) {
		emit("retry"); // That finds somebody else signed in.
		throw new Failure(401);
	} else if (gone.length > 0) {
		entry.ids = entry.ids.filter(id => !gone.includes(id));
		tasks.forget(gone);
		tasks[entry.ids.length > 0 ? "keep" : "drop"](entry);
	} else if (error.status === 404 && entry.kind === "change") {
		const isShown = tasks.task(entry.ids[0]); // If not, the user has deleted it too.
		isShown ? put(entry, { kind: "deleted" }) : tasks.drop(entry);
	} else if (error.status === 412) {
		await compare(entry, error);
	} else {
		put(entry, { kind: "refused", reason: error.message });
	}
}

// Somebody has changed the task; perhaps this page, if an answer was lost.
async function compare(entry, { message }) {
	const { content } = await call("GET", `${tasks.path}/${entry.ids}`);
	const isStored = wanted =>
		Object.keys(wanted).every(name => String(content[name]) === String(wanted[name]));
	if (isStored(entry.changes)) {
		tasks.confirm(entry, [content]);
	} else if (content.version === entry.version) {
		put(entry, { kind: "refused", reason: message });
	} else if (isStored(entry.before)) {
		entry.version = content.version;
		tasks.keep(entry);
	} else {
		put(entry, { kind: "conflict", stored: content });
	}
}

function put(entry, problem) {
	entry.problem = problem;
	tasks.keep(entry);
}

// The page is left: send the deletions. Nobody waits for the answers.
export function leave() {
	for (const entry of tasks.entries.filter(sendable())) {
		if (entry.kind === "remove") {
			request(entry, { keepalive: true }).catch(() => {});
		}
	}
}
