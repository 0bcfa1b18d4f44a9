// Changes that could not be saved as they are. They stay until the user decides.
import { dueOf } from "./dates.js";
import { $, h, t } from "./dom.js";
import { priorityName } from "./rows.js";
import * as tasks from "./tasks.js";

const place = $(".problems");
const ACTIONS = {
	conflict: ["keep_mine", "keep_stored"],
	deleted: ["add_again", "discard"],
	refused: ["edit_again", "discard"],
};

// decide(name, entry): what to do when the button of this name is pressed.
export function drawProblems(decide) {
	const problems = tasks.entries.filter(({ problem }) => problem);
	const drawn = JSON.stringify(problems);
	if (place.drawn !== drawn) {
		place.drawn = drawn;
		place.hidden = problems.length === 0;
		place.replaceChildren(...problems.map(entry => article(entry, decide)));
	}
}

function article(entry, decide) {
	const { ids, changes = {}, problem } = entry;
	const { kind, reason, stored } = problem;
	const title = entry.task?.title ?? changes.title ?? tasks.task(ids[0])?.title ?? "";
	const row = (cell, ...texts) =>
		h("tr", {}, ...texts.filter(Boolean).map(text => h(cell, { dir: "auto" }, text)));
	const fields = Object.keys(changes).filter(name => name !== "key");
	return h(
		"article",
		{},
		h("h2", {}, t(`problem_${kind}`, { title, reason })),
		h(
			"table",
			{},
			row("th", t("field"), t("mine"), stored && t("stored")),
			...fields.map(name =>
				row("td", t(`field_${name}`), written(name, changes), stored && written(name, stored)),
			),
		),
		...ACTIONS[kind].map(name => h("button", { onclick: () => decide(name, entry) }, t(name))),
	);
}

function written(name, task) {
	const value = task[name];
	const forms = {
		completed: () => t(value ? "completed" : "open"),
		priority: () => priorityName(value),
		due: () => value && dueOf(task).text,
		tags: () => value.join(", "),
	};
	return (forms[name]?.() ?? value) || t("empty");
}
