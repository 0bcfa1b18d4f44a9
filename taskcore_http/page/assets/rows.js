// The list. Only the rows in sight, and some around them, are in the document, so that 100,000 tasks
// scroll as ten do. All rows have one height.
import { dueOf } from "./dates.js";
import { $, h, on, t } from "./dom.js";
import * as tasks from "./tasks.js";

const MARGIN = 10; // rows above and below those in sight
const PRIORITIES = { 0: "none", 1: "high", 5: "medium", 9: "low" };
const list = $(".todo-list");
const template = $("#row").content.firstElementChild;
const elements = new Map(); // by id
let current; // the id of the row that the Tab key reaches
let isPrinting = false;

export const idIn = ({ dataset: { id } }) => (id.startsWith("new") ? id : Number(id));

export const priorityName = priority =>
	PRIORITIES[priority] ? t(`priority_${PRIORITIES[priority]}`) : `${priority}`;

const height = () => $(".row-height").offsetHeight;
const top = () => list.getBoundingClientRect().top;

// The numbers of the first and the last row in sight.
export function range() {
	const edges = [$(".header").getBoundingClientRect().bottom, innerHeight];
	return edges.map(edge => Math.max(0, Math.floor((edge - top()) / height())));
}

export function drawRows() {
	const ids = tasks.rows();
	const [total, [first, last]] = [tasks.total(), range()];
	list.style.height = `${total * height()}px`;
	const from = isPrinting ? 0 : Math.max(0, first - MARGIN);
	const to = isPrinting ? ids.length : Math.min(ids.length, last + MARGIN);
	const numbers = new Set(Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n));
	// What has the focus stays, also out of sight.
	const focused = document.activeElement.closest(".todo-list > li");
	numbers.add(focused ? ids.indexOf(idIn(focused)) : -1).delete(-1);
	const shown = [...numbers].sort((one, other) => one - other);
	const names = new Set(shown.map(n => ids[n]));
	current = names.has(current) ? current : ids[first];
	for (const [id, element] of elements) {
		if (!names.has(id)) {
			element.remove();
			elements.delete(id);
		}
	}
	const isLost = focused && !names.has(idIn(focused));
	shown.forEach((n, position) => {
		const element = drawRow(ids[n]);
		element.style.transform = `translateY(${n * height()}px)`;
		Object.assign(element, { ariaPosInSet: n + 1, ariaSetSize: total });
		if (list.children[position] !== element) {
			list.insertBefore(element, list.children[position]);
		}
	});
	if (isLost) {
		focus(focused.ariaPosInSet - 1);
	}
}

function drawRow(id) {
	const element = elements.get(id) ?? template.cloneNode(true);
	elements.set(id, element);
	element.dataset.id = id;
	const task = tasks.task(id);
	const state = [task, task.due && dueOf(task), tasks.isSent(id)];
	const drawn = JSON.stringify(state);
	// A button that is replaced while it is pressed is not clicked.
	if (element.drawn !== drawn) {
		element.drawn = drawn;
		fill(element, ...state);
	}
	for (const control of element.querySelectorAll("input, button")) {
		control.tabIndex = id === current ? 0 : -1;
	}
	return element;
}

function fill(element, task, due, isSent) {
	const { title, completed } = task;
	element.classList.toggle("completed", completed);
	element.classList.toggle("unsent", !isSent);
	const [toggle, label, meta, more, destroy] = element.firstElementChild.children;
	toggle.checked = completed;
	label.textContent = label.title = title;
	for (const [name, control] of Object.entries({ toggle, more, destroy })) {
		control.ariaLabel = control.title = t(name, { title });
	}
	meta.replaceChildren(...metaOf(task, due, isSent));
}

function metaOf({ due: dateTime, priority, project, tags, description }, due, isSent) {
	const text = (className, ...parts) => h("span", { className }, ...parts);
	const button = (className, value) =>
		h("button", { className, value, title: t("only", { name: value }) }, h("bdi", {}, value));
	return [
		due && h("time", { className: due.isLate ? "due late" : "due", dateTime }, due.text),
		priority > 0 &&
			text(priority < 5 ? "priority high" : "priority", t("priority_is", { priority: priorityName(priority) })),
		project && button("project", project),
		...tags.map(tag => button("tag", tag)),
		description && text("note", h("bdi", {}, description.slice(0, 200))),
		!isSent && text("pending", t("not_sent")),
	].filter(Boolean);
}

// Put the focus on the same control some rows away; without a row, on the current row.
export const move = (by, element) =>
	focus(tasks.rows().indexOf(element ? idIn(element) : current) + by, document.activeElement.className);

export function focus(wanted, className) {
	const ids = tasks.rows();
	const n = Math.max(0, Math.min(wanted, ids.length - 1));
	if (ids.length > 0) {
		current = ids[n];
		const [first, last] = range();
		if (n <= first + 2 || n >= last - 2) {
			scrollBy(0, top() + (n + 0.5) * height() - innerHeight / 2);
		}
		drawRows();
		const element = elements.get(current);
		(element.querySelector(`button.${className || "x"}`) ?? element.querySelector(".toggle")).focus();
	}
}

on(list, "focusin", ({ target }) => (current = idIn(target.closest("li"))));
on(window, "rename", ({ detail: { from, to } }) => {
	if (elements.has(from)) {
		elements.set(to, elements.get(from));
		elements.get(from).dataset.id = to;
		elements.delete(from);
		current = current === from ? to : current;
	}
});
on(window, "beforeprint afterprint", ({ type }) => {
	isPrinting = type === "beforeprint";
	drawRows();
});
