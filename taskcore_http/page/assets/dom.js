// Texts, elements and drawing. All texts are in the document, so that they can be translated.
const texts = JSON.parse(document.getElementById("texts").textContent);
export const { lang, dataset } = document.documentElement;
const plurals = new Intl.PluralRules(lang);
let drawing = 0;

// Return a text with its {names} filled in. `n` chooses between the forms of a plural.
export function t(name, values = {}) {
	const text = texts[name];
	const form = text[plurals.select(values.n ?? 0)] ?? text.other ?? text;
	return form.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

// Make an element.
export function h(name, properties, ...children) {
	const made = Object.assign(document.createElement(name), properties);
	made.append(...children);
	return made;
}

// Return an object with these properties of another one; null: it has none of that name.
export const pick = (names, source) => Object.fromEntries(names.map(name => [name, source[name] ?? null]));

export const $ = selector => document.querySelector(selector);

export const on = (target, types, action) =>
	types.split(" ").forEach(type => target.addEventListener(type, action));

export const emit = (type, detail) => dispatchEvent(new CustomEvent(type, { detail }));

// Show a dialog. Return the value of the button that closed it; "": it was closed otherwise.
export function ask(dialog) {
	dialog.returnValue = "";
	dialog.showModal();
	return new Promise(resolve => (dialog.onclose = () => resolve(dialog.returnValue)));
}

// Return a function that runs the work after the current run, once for all calls until then. The
// current run may not see what the caller has changed.
export function inTurn(work) {
	let last = Promise.resolve();
	let waiting;
	const run = () => {
		waiting = null;
		return work();
	};
	return () => (waiting ??= last = last.then(run, run));
}

// Draw once, however much has changed.
export function draw() {
	drawing ||= requestAnimationFrame(() => {
		drawing = 0;
		emit("draw");
	});
}

// Safari ends a composition before the Enter that ends it.
export const isComposing = event => event.isComposing || event.keyCode === 229;
