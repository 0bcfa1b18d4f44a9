// The user's tasks as the page shows them: what the server told last, with the outbox on top. The
// outbox has what the user has done and the server has not confirmed. This browser keeps it, so that
// neither a reload nor a lost connection loses it. An entry may be sent twice, also by two windows: a
// new task has a key, an edit has the version it was made from, and the rest is as if done once.
import { call, Failure } from "./api.js";
import { dataset, draw, emit, pick } from "./dom.js";
import * as storage from "./storage.js";
import { View } from "./view.js";

const MOST_IDS = 1000; // of a request
// Milliseconds that a deletion of another window waits, if that window neither sends it nor undoes it.
const LONGEST_HOLD = 70_000;
const MINE = "me/tasks";

export let user; // an id; null: the server gives one with the first task; undefined: not known yet
export let path = MINE; // of what is changed
export let view;
export let filter = {}; // parameters of the API's list
export let completed = null;
export let entries = []; // { kind: "create", "change" or "remove", ids, changes, before, version, … }
const NEW = { isHeld: undefined, problem: undefined };
const known = new Map(); // by id
const newIds = new Map(); // of tasks that were made here
let stored = ""; // how the names of the entries in the browser's storage begin
let counts = null; // of the tasks that match the filter, as the server counted them
let shown = null; // what the outbox makes of the tasks

const random = () => crypto.getRandomValues(new BigUint64Array(2)).join("-");

// A user without an id has nowhere to keep what another one could not take for theirs.
export function identify(id) {
	user = id;
	// Another user who signs in meanwhile is refused at this path, so gets nothing of this one's.
	path = id === null ? MINE : `users/${id}/tasks`;
	if (id !== null) {
		stored = `taskcore ${dataset.api} ${id} `;
		entries.forEach(keep);
		read();
	}
}

// Other windows of the user, and those before, add entries to the outbox and take them out of it.
export function read() {
	const names = stored && storage.names(stored);
	if (names) {
		const here = new Map(entries.map(entry => [stored + entry.name, entry]));
		const others = names.flatMap(name => {
			const entry = storage.load(name);
			if (!Array.isArray(entry?.ids)) {
				return [];
			}
			entry.name = name.slice(stored.length);
			entry.ids = entry.kind === "create" ? entry.ids : entry.ids.map(idOf);
			if (entry.isHeld && !here.has(name)) {
				setTimeout(() => {
					release([entry]);
					emit("retry");
				}, LONGEST_HOLD);
			}
			return Object.assign(here.get(name) ?? {}, NEW, entry);
		});
		// If a change does not know the id of a task that another window has sent, it is sent again.
		const isNeeded = ({ kind, ids: [id] }) => kind === "create" && others.some(({ ids }) => ids.includes(id));
		const own = entries.filter(entry => !others.includes(entry) && (!entry.isKept || isNeeded(entry)));
		entries = [...own, ...others].sort((one, other) => one.at - other.at);
		changed();
	}
}

export function open(route) {
	view?.end();
	({ filter, completed } = route);
	const query = { ...filter, ...(completed !== null && { completed }), order: route.order };
	view = new View(MINE, query, learn);
	counts = null;
	changed();
}

function learn(tasks) {
	if (user === undefined && tasks.length > 0) {
		identify(tasks[0].user_id);
	}
	if (tasks.some(task => task.user_id !== user)) {
		throw new Failure(404); // Somebody else has signed in.
	}
	for (const task of tasks) {
		// An answer may be older than one that came before it.
		if (!(known.get(task.id)?.version > task.version)) {
			known.set(task.id, task);
			newIds.set(task.key, task.id);
		}
	}
	changed();
}

function changed() {
	shown = null;
	draw();
}

function show() {
	if (shown) {
		return shown;
	}
	shown = { tasks: new Map(), rows: [] };
	const now = id => (shown.tasks.has(id) ? shown.tasks.get(id) : known.get(id));
	for (const { kind, ids, changes } of entries) {
		for (const id of ids) {
			shown.tasks.set(id, kind === "remove" ? null : { id, tags: [], ...now(id), ...changes });
		}
		shown.rows.unshift(...(kind === "create" ? ids : []));
	}
	// A new task may be in the list before the answer that confirms it.
	const ids = view?.ids.filter(id => !shown.tasks.has(known.get(id)?.key)) ?? [];
	const isShown = id => now(id) && (completed === null || now(id).completed === completed);
	shown.rows = [...shown.rows, ...ids].filter(isShown);
	return shown;
}

// The ids of the rows. New tasks are first until the list is loaded again.
export const rows = () => show().rows;

// A task as it is shown; nothing: there is none.
export function task(id) {
	const { tasks } = show();
	return tasks.has(idOf(id)) ? tasks.get(idOf(id)) : known.get(idOf(id));
}

// The id that the server has given to a task.
const idOf = id => newIds.get(id) ?? id;

export const isSent = id => !show().tasks.has(id);

// Whether all tasks that match the filter are loaded, open and completed ones.
const hasAll = () => view?.isComplete && completed === null;

// How many tasks match the filter, and how many of them are open; null: not known.
export function count() {
	if (hasAll()) {
		return { all: rows().length, active: rows().filter(id => !task(id).completed).length };
	}
	return counts;
}

// The rows of the whole list, loaded or not.
export function total() {
	const { all, active } = counts ?? {};
	const matching = { null: all, false: active, true: all - active }[completed];
	return view?.isComplete ? rows().length : Math.max(matching || 0, rows().length);
}

// Ask the server how many there are, unless all are loaded.
export async function recount() {
	const counted = view;
	if (!hasAll()) {
		const [all, active] = await Promise.all(
			[filter, { ...filter, completed: false }].map(async query => {
				const { content } = await call("GET", `${path}/count?${new URLSearchParams(query)}`);
				return content.count;
			}),
		);
		counts = counted === view ? { all, active } : counts;
	}
	changed();
}

// The ids of all tasks that match the filter and are completed, or are not.
export async function idsOf(wanted) {
	const all = new View(MINE, { ...filter, completed: wanted }, learn);
	if (!hasAll()) {
		await all.load(Infinity);
	}
	return [...new Set([...rows(), ...all.ids])].filter(id => task(id)?.completed === wanted);
}

export function create(changes) {
	const id = `new-${random()}`;
	add({ kind: "create", ids: [id], changes: { completed: false, ...changes, key: id } });
}

// Edit one task. Return the entry; nothing: nothing would change.
export function edit(id, wanted) {
	const { version = 0, ...before } = task(id);
	const isNew = name => JSON.stringify(before[name] ?? null) !== JSON.stringify(wanted[name]);
	const names = Object.keys(wanted).filter(isNew);
	if (names.length > 0) {
		const [changes, replaced] = [wanted, before].map(task => pick(names, task));
		return add({ kind: "change", ids: [id], changes, before: replaced, version, task: before });
	}
}

// Complete tasks, or reopen them.
export const complete = (ids, completed) => addAll(ids, { kind: "change", changes: { completed } });

// A deletion is held back until it is released.
export const remove = ids => addAll(ids, { kind: "remove", isHeld: true });

export function release(held) {
	read();
	for (const entry of entries.filter(({ name }) => held.some(one => one.name === name))) {
		delete entry.isHeld;
		keep(entry);
	}
}

const addAll = (ids, entry) =>
	ids.length > 0
		? [add({ ...entry, ids: ids.slice(0, MOST_IDS) }), ...addAll(ids.slice(MOST_IDS), entry)]
		: [];

function add(entry) {
	const at = Math.max(Date.now(), (entries.at(-1)?.at ?? 0) + 1);
	Object.assign(entry, { at, name: random(), ids: entry.ids.map(idOf) });
	entries.push(entry);
	keep(entry);
	return entry;
}

export function keep(entry) {
	entry.isKept = stored !== "" && storage.save(stored + entry.name, { ...entry, isKept: true });
	changed();
}

export function drop(entry) {
	entries = entries.filter(({ name }) => name !== entry.name);
	storage.remove(stored + entry.name);
	changed();
}

export const entriesOf = id => entries.filter(({ ids }) => ids.includes(id));

// Take back everything that waits for a task.
export function giveUp(id) {
	for (const entry of entriesOf(id)) {
		entry.ids = entry.ids.filter(other => other !== id);
		entry.ids.length > 0 ? keep(entry) : drop(entry);
	}
}

// The server has confirmed an entry and told these tasks.
export function confirm(entry, tasks) {
	const [id] = entry.ids;
	if (user === null && tasks.length > 0) {
		identify(tasks[0].user_id);
	}
	const version = known.get(id)?.version ?? 0;
	drop(entry);
	if (entry.kind === "create") {
		newIds.set(id, tasks[0].id);
		view?.add(tasks[0].id);
		emit("rename", { from: id, to: tasks[0].id });
	}
	for (const later of entriesOf(id)) {
		if (later.version === version && tasks.length === 1) {
			later.version = tasks[0].version;
		}
		later.ids = later.ids.map(idOf);
		keep(later);
	}
	learn(tasks);
	if (entry.kind === "remove") {
		forget(entry.ids);
	}
}

// Nothing of these tasks is stored.
export function forget(ids) {
	ids.forEach(id => known.delete(id));
	view?.remove(ids);
	changed();
}
