// The keyboard. Keys that are one character can be switched off (WCAG 2.2, 2.1.4).
import { $, on } from "./dom.js";
import { load, save } from "./storage.js";

const SETTING = "taskcore single keys";
const box = $("#single-keys");
box.checked = load(SETTING) ?? true;

const showHelp = () => $("#help").showModal();

// inRow: what keys do with the row that has the focus. anywhere: what they do everywhere else, and in
// a field, if its class follows the key.
export function addKeys(inRow, anywhere) {
	const all = { ...anywhere, "?": showHelp };
	on(window, "keydown", event => {
		const { key, target, ctrlKey, metaKey, altKey } = event;
		const isTyping = target.matches("input:not([type=checkbox]), textarea, select");
		if (event.isComposing || $("dialog[open]")) {
			return;
		}
		const row = target.closest(".todo-list > li");
		const isPress = key === "Enter" && target.localName === "button";
		const name = ctrlKey || metaKey ? `Ctrl+${key}` : altKey ? "" : key;
		const action = isTyping
			? all[`${name} ${target.className}`]
			: (row && !isPress && inRow[name]) || all[name];
		if (action && (name.length > 1 || box.checked)) {
			event.preventDefault();
			action(row);
		}
	});
}

on($("#help-button"), "click", showHelp);
on(box, "change", () => save(SETTING, box.checked));
