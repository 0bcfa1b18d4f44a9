// The page: what the user does becomes an entry of the outbox, and what has changed is drawn.
import { Failure } from "./api.js";
import { editDetails } from "./details.js";
import { $, draw, h, inTurn, isComposing, on, pick, t } from "./dom.js";
import { addKeys } from "./keys.js";
import { drawProblems } from "./problems.js";
import { addressOf, readRoute } from "./route.js";
import { drawRows, focus, idIn, move, range } from "./rows.js";
import { canEnd, end, signInHint, takeLink, useLink, whoIs } from "./session.js";
import * as sync from "./sync.js";
import * as tasks from "./tasks.js";
import { close, offerUndo, undoLast } from "./undo.js";

const AHEAD = 50; // rows that are loaded before they are in sight
const COPIED = ["title", "description", "due", "due_zone", "priority", "project", "tags", "extra"];

const list = $(".todo-list");
const input = $(".new-todo");
const search = $(".search");
const status = $(".status");
const toggleAll = $(".toggle-all");
const clear = $(".clear-completed");
const signOut = $("#sign-out");
const order = $("#order");
const links = [...document.querySelectorAll(".filters a")];
let notice; // an answer to what the user did last
let isBusy = false; // while all tasks are completed or deleted

on(window, "draw", () => {
	const { view, filter } = tasks;
	const [counts, total] = [tasks.count(), tasks.total()];
	const all = counts?.all ?? total;
	const isFiltered = Object.keys(filter).length > 0;
	$(".main").hidden = total === 0;
	$(".footer").hidden = all === 0 && !isFiltered;
	const empty = $(".empty");
	empty.hidden = total > 0 || sync.state !== "connected";
	const nothing = all > 0 || isFiltered ? "nothing_matches" : "nothing";
	empty.textContent = t(view?.isStarted ? nothing : "loading");
	clear.hidden = !counts || counts.all === counts.active;
	toggleAll.hidden = all === 0;
	toggleAll.checked = isBusy ? toggleAll.checked : all > 0 && counts?.active === 0;
	const left = counts ? t("items_left", { n: counts.active }).split(/(\d+)/) : [];
	$(".todo-count").replaceChildren(...left.map(part => (/\d/.test(part) ? h("strong", {}, part) : part)));
	drawRows();
	drawProblems(decide);
	drawStatus();
	const [first, last] = range();
	if (view?.isStarted && !view.hasFailed && sync.state === "connected") {
		if (view.ids.length < last + AHEAD) {
			attempt(() => view.load(last + AHEAD));
		}
		attempt(() => view.freshen(first, last));
	}
});

function drawStatus() {
	const { state } = sync;
	const n = tasks.entries.filter(({ problem, isHeld }) => !problem && !isHeld).length;
	const parts = [notice];
	const isIn = state !== "signed_out";
	if (state !== "connected") {
		parts.push(t(state), n > 0 && t(`${state}_waiting`, { n }), !isIn && signInHint());
	}
	const shown = h("p", {}, ...parts.filter(Boolean).flatMap(part => [part, " "]));
	if (status.textContent !== shown.textContent) {
		status.replaceChildren(...shown.childNodes);
	}
	// What is typed needs a user whose it is.
	$("#add").hidden = state !== "connected" && tasks.user === undefined;
	signOut.hidden = !canEnd || !isIn;
	$("#user").textContent = tasks.user && isIn ? t("user", { user: tasks.user }) : "";
}

function say(text) {
	notice = text;
	draw();
}

// Run calls of the API, and show why they fail.
async function attempt(work) {
	try {
		return await sync.reach(work);
	} catch (error) {
		if (error.status === 404 && work !== whoIs) {
			await identify(); // The path is that of another user.
		} else if (error instanceof Failure && !error.isTemporary && error.status !== 401) {
			say(t("refused", { reason: error.message }));
		} else if (error.name !== "AbortError" && !(error instanceof Failure)) {
			throw error;
		}
	}
}

// Find out who is signed in. If it is somebody else, nothing of the user before may stay here.
async function identify() {
	const id = await attempt(whoIs);
	if (id !== undefined && tasks.user === undefined) {
		tasks.identify(id);
	} else if (id !== undefined && id !== tasks.user) {
		location.reload();
	}
	return id !== undefined && id === tasks.user;
}

async function show() {
	const route = readRoute();
	tasks.open(route);
	links.forEach((link, n) => {
		const completed = [null, false, true][n];
		const isChosen = completed === route.completed;
		link.href = addressOf({ ...route, completed });
		link.className = isChosen ? "selected" : "";
		link.ariaCurrent = isChosen ? "page" : null;
	});
	order.value = route.order;
	if (document.activeElement !== search) {
		search.value = route.filter.search ?? "";
	}
	const { project, tags } = route.filter;
	const chip = (value, rest) => {
		const ariaLabel = t("remove_filter", { name: value });
		return h("li", {}, h("button", { onclick: () => narrow(rest), ariaLabel }, h("bdi", {}, value), " ×"));
	};
	$(".chosen").replaceChildren(
		...(project ? [chip(project, { project: "" })] : []),
		...split(tags).map((tag, n, all) => chip(tag, { tags: all.toSpliced(n, 1).join() })),
	);
	scrollTo(0, 0);
	await sync.send(); // The list is to have what was done before.
	await attempt(() => tasks.view.load(1));
	if (tasks.view.isStarted) {
		await attempt(tasks.recount);
	}
}

const split = tags => tags?.split(",") ?? [];

// What is typed letter by letter is one step of the back button.
function go(route, isTyped) {
	const address = addressOf(route);
	if (address !== addressOf(readRoute())) {
		history[isTyped ? "replaceState" : "pushState"](null, "", address);
		show();
	}
}

// Show only tasks that match this too; an empty text removes a filter.
function narrow(change, isTyped) {
	const { filter, ...route } = readRoute();
	go({ ...route, filter: { ...filter, ...change } }, isTyped);
}

// The page is looked at again, or the server may be back. Several events can say so at once.
const refresh = inTurn(async () => {
	if (document.hidden || !(await identify())) {
		return;
	}
	if (tasks.view?.isStarted) {
		await attempt(() => tasks.view.refresh(...range()));
		await attempt(tasks.recount);
		await sync.send();
	} else {
		await show();
	}
});

// The user has done something that can be undone. expire() is called when it cannot be any more.
function done(message, undo, expire) {
	notice = "";
	const undoAndSend = async () => {
		undo();
		await sync.send();
		await refresh();
	};
	offerUndo(message, undoAndSend, expire);
	sync.send();
}

function edit(id, wanted) {
	const entry = tasks.task(id) && tasks.edit(id, wanted);
	if (entry) {
		const { before, task } = entry;
		done(t("did_change", task), () => tasks.task(id) && tasks.edit(id, before));
	}
}

function complete(ids, completed) {
	tasks.complete(ids, completed);
	const message = t(completed ? "did_complete" : "did_reopen", { n: ids.length });
	done(message, () => tasks.complete(ids, !completed));
}

// A deletion waits as long as it can be undone.
function remove(given) {
	const ids = given.filter(tasks.task); // Another window may have deleted some.
	if (ids.length === 0) {
		return;
	}
	const { title } = tasks.task(ids[0]);
	const entries = tasks.remove(ids);
	const release = () => {
		tasks.release(entries);
		sync.send();
	};
	done(t("did_delete", { n: ids.length, title }), () => entries.forEach(tasks.drop), release);
}

async function withAll(completed, action) {
	isBusy = true;
	const ids = await attempt(() => tasks.idsOf(completed));
	if (ids?.length > 0) {
		action(ids);
		await sync.send();
	}
	isBusy = false;
	draw();
}

function editTitle(row) {
	const title = tasks.task(idIn(row))?.title;
	if (!title) {
		return;
	}
	const field = h("input", { className: "edit", value: title, dir: "auto", maxLength: 500 });
	field.ariaLabel = t("edit", { title });
	const finish = isSaved => {
		if (!row.classList.contains("editing")) {
			return;
		}
		row.classList.remove("editing");
		const [entered, hadFocus] = [field.value.trim(), document.activeElement === field];
		field.remove();
		if (hadFocus) {
			row.querySelector(".toggle").focus();
		}
		if (isSaved) {
			entered ? edit(idIn(row), { title: entered }) : remove([idIn(row)]);
		}
	};
	on(field, "blur", () => finish(true));
	on(field, "keydown", event => {
		if (["Enter", "Escape"].includes(event.key) && !isComposing(event)) {
			event.preventDefault();
			event.stopPropagation();
			finish(event.key === "Enter");
		}
	});
	row.classList.add("editing");
	row.append(field);
	field.focus();
}

function openDetails(id, { task = tasks.task(id), typed, save = wanted => edit(id, wanted) } = {}) {
	const projects = new Set(tasks.rows().slice(0, 1000).map(one => tasks.task(one).project ?? ""));
	const cancel = given =>
		offerUndo(t("discarded", { title: task.title }), () => openDetails(id, { task, typed: given, save }));
	editDetails(task, { typed, projects: [...projects].filter(Boolean), save, cancel });
}

// What becomes of a change that could not be saved.
function decide(name, entry) {
	const { problem, ids, changes } = entry;
	const task = tasks.task(ids[0]);
	const resend = wanted => {
		Object.assign(changes ?? {}, wanted);
		entry.version = problem.stored?.version ?? entry.version;
		delete entry.problem;
		tasks.keep(entry);
		sync.send();
	};
	if (name === "keep_mine") {
		resend();
	} else if (name === "edit_again") {
		task && changes ? openDetails(ids[0], { task, save: resend }) : resend();
	} else {
		const isStored = entry.kind !== "create" && problem.kind !== "deleted";
		const changed = tasks.entriesOf(ids[0]);
		isStored ? tasks.drop(entry) : ids.forEach(tasks.giveUp);
		if (problem.kind === "deleted") {
			tasks.forget(ids);
		}
		if (name === "add_again") {
			const wanted = Object.assign({}, entry.task, ...changed.map(other => other.changes));
			tasks.create(pick(COPIED.filter(field => wanted[field]), wanted));
			sync.send();
		}
		refresh();
	}
}

on($("#add"), "submit", event => {
	event.preventDefault();
	const title = input.value.trim();
	if (title) {
		const { project, tags } = tasks.filter;
		tasks.create({ title, ...(project && { project }), ...(tags && { tags: split(tags) }) });
		input.value = notice = "";
		sync.send();
	}
});
on(input, "keydown", event => {
	if (event.key === "Enter" && isComposing(event)) {
		event.preventDefault();
	}
});

const buttons = {
	project: (_, project) => narrow({ project }),
	tag: (_, tag) => narrow({ tags: [...new Set([...split(readRoute().filter.tags), tag])].join() }),
	more: row => openDetails(idIn(row)),
	destroy: row => remove([idIn(row)]),
};
on(list, "click", ({ target }) => {
	const button = target.closest("button");
	buttons[button?.className]?.(button.closest("li"), button.value);
});
on(list, "change", ({ target }) => {
	if (target.className === "toggle") {
		complete([idIn(target.closest("li"))], target.checked);
	}
});
on(list, "dblclick", ({ target }) => target.localName === "label" && editTitle(target.closest("li")));
on(toggleAll, "change", ({ target: { checked } }) => withAll(!checked, ids => complete(ids, checked)));
on(clear, "click", () => withAll(true, remove));
on(order, "change", () => go({ ...readRoute(), order: order.value }));
let typing;
on(search, "input", () => {
	clearTimeout(typing);
	typing = setTimeout(() => narrow({ search: search.value.trim() }, true), 150);
});
on(signOut, "click", async () => {
	close();
	await sync.send();
	const reason = await end();
	say(reason && t("not_signed_out", { reason }));
});

const [down, up, toCurrent] = [row => move(1, row), row => move(-1, row), () => move(0)];
const toFirst = () => focus(range()[0]);
addKeys(
	{
		ArrowDown: down,
		ArrowUp: up,
		j: down,
		k: up,
		Enter: editTitle,
		e: buttons.more,
		Delete: buttons.destroy,
	},
	{
		n: () => input.focus(),
		"/": () => search.focus(),
		j: toCurrent,
		k: toCurrent,
		"ArrowDown new-todo": toFirst,
		"ArrowDown search": toFirst,
		z: undoLast,
		"Ctrl+z": undoLast,
		...Object.fromEntries(links.map((link, n) => [n + 1, () => link.click()])),
	},
);

on(window, "scroll resize", draw);
on(window, "retry online focus", refresh);
on(document, "visibilitychange", refresh);
on(window, "pagehide", () => {
	close();
	sync.leave();
});

// A link may come into a window that is open: then only the fragment changes.
async function start() {
	const link = takeLink();
	if (link) {
		const reason = await useLink(link);
		notice = reason && t("link_refused", { reason });
	}
	const isKnown = !link && tasks.user !== undefined;
	await Promise.all([isKnown || identify(), show()]);
	await sync.send();
	draw();
}

on(window, "hashchange", start);
await start();
