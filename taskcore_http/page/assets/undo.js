// A message with a button that undoes what was done. It stays while the pointer or the focus is on it.
import { $, on } from "./dom.js";

const UNDO = 7000; // milliseconds

const toast = $(".toast");
const [text, button] = toast.children;
let offer;
let timer;

// undo() takes it back; expire() is called when that is no longer offered.
export function offerUndo(message, undo, expire) {
	close();
	offer = { undo, expire };
	text.textContent = message;
	toast.hidden = false;
	wait();
}

export const undoLast = () => close("undo");

export function close(outcome = "expire") {
	clearTimeout(timer);
	toast.hidden = true;
	const last = offer;
	offer = null;
	last?.[outcome]?.();
}

function wait() {
	timer = setTimeout(() => (toast.matches(":hover, :focus-within") ? wait() : close()), UNDO);
}

on(button, "click", undoLast);
