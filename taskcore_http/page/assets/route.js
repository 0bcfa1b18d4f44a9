// The address of a view: #/active?search=…&project=…&tags=…&order=… . The back button leads through them.
const STATES = { "": null, active: false, completed: true };

export function readRoute() {
	const [path, query] = location.hash.slice(2).split("?");
	const { search, project, tags, order } = Object.fromEntries(new URLSearchParams(query));
	return {
		filter: compact({ search, project, tags }),
		completed: STATES[path] ?? null,
		order: ["due", "priority"].includes(order) ? order : "newest",
	};
}

export function addressOf({ filter, completed, order }) {
	const path = Object.keys(STATES).find(name => STATES[name] === completed);
	const query = new URLSearchParams(compact({ ...filter, order: order === "newest" ? "" : order }));
	return `#/${path}${query.size > 0 ? `?${query}` : ""}`;
}

const compact = values => Object.fromEntries(Object.entries(values).filter(([, value]) => value));
