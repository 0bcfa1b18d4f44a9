// The dialog with all fields of a task.
import { $, ask, h, on, pick } from "./dom.js";
import { priorityName } from "./rows.js";

const dialog = $("#details");
const form = dialog.firstElementChild;
const fields = form.elements;

// What the form has in its fields for a task.
function shown({ title, description, due, due_zone: zone, priority = 0, project, tags }) {
	const [date, time = ""] = (due ?? "").split("T");
	return {
		title,
		description: description ?? "",
		date,
		time: time.replace(/:00$/, ""),
		due_zone: zone ?? "",
		priority: `${priority}`,
		project: project ?? "",
		tags: tags.join(", "),
	};
}

// typed: the task with what was typed before. save(changes) is called if the user saves, cancel(typed)
// if they do not and something was typed.
export async function editDetails(task, { typed = task, projects, save, cancel }) {
	const before = shown(task);
	offer("#zones", Intl.supportedValuesOf("timeZone"));
	offer("#projects", projects);
	fields.priority.value = before.priority;
	if (!fields.priority.value) {
		fields.priority.add(new Option(priorityName(task.priority), before.priority));
	}
	Object.entries(shown(typed)).forEach(([name, value]) => (fields[name].value = value));
	relate();
	const outcome = await ask(dialog);
	const names = Object.keys(before).filter(name => fields[name].value !== before[name]);
	if (outcome === "save") {
		save(read(names));
	} else if (names.length > 0) {
		cancel({ ...task, ...read(names) });
	}
}

// The fields that were changed, as the API takes them.
function read(names) {
	const value = name => fields[name].value.trim() || null;
	const tags = fields.tags.value.split(",").map(tag => tag.trim());
	const due = ["due", "due_zone"];
	const parts = { date: due, time: due };
	return pick(names.flatMap(name => parts[name] ?? name), {
		title: value("title") ?? "",
		description: value("description"),
		// With seconds, as the API tells it.
		due: value("time") ? `${value("date")}T${`${value("time")}:00`.slice(0, 8)}` : value("date"),
		due_zone: value("time") && value("due_zone"),
		priority: Number(fields.priority.value),
		project: value("project"),
		tags: [...new Set(tags)].filter(Boolean).sort(),
	});
}

// A time needs a date, and a zone needs a time.
function relate() {
	fields.time.disabled = !fields.date.value;
	fields.time.value = fields.date.value && fields.time.value;
	fields.due_zone.disabled = !fields.time.value;
}

const offer = (list, values) => $(list).replaceChildren(...values.map(value => h("option", { value })));

on(form, "input", relate);
on(form, "keydown", event => {
	if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
		form.requestSubmit($("#details .primary"));
	}
});
