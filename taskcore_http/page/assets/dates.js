// Due dates as people read them. They are texts, such as 2026-11-30T17:00:00; no zone moves them.
import { lang, t } from "./dom.js";

const DAY = 86_400_000; // milliseconds
const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
const clocks = new Map();

// In Swedish, dates are written as in ISO 8601.
function clock(timeZone) {
	try {
		return new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "medium", timeZone });
	} catch {
		return clock(); // The browser does not know the zone.
	}
}

// What the clocks of a zone show, written as due dates are; undefined: the zone of this machine.
function now(zone) {
	clocks.has(zone) || clocks.set(zone, clock(zone));
	return clocks.get(zone).format().replace(" ", "T");
}

export function dueOf({ due, due_zone: zone, completed }) {
	const [date, time] = due.split("T");
	const current = now((time && zone) || undefined);
	const [day, today] = [date, current.slice(0, 10)].map(text => Date.parse(text));
	const format = new Intl.DateTimeFormat(lang, {
		timeZone: "UTC",
		weekday: "short",
		day: "numeric",
		month: "short",
		year: date.startsWith(current.slice(0, 4)) ? undefined : "numeric",
		...(time && { hour: "numeric", minute: "2-digit" }),
	});
	const isLate = !completed && (time ? due < current : day < today);
	const written = format.format(Date.parse(`${date}T${time ?? "00:00"}Z`));
	const days = relative.format((day - today) / DAY, "day");
	const text = t(isLate ? "late" : "due_in", { date: zone ? `${written} ${zone}` : written, days });
	return { text, isLate };
}
