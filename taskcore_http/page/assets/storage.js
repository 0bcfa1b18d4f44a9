// The browser's storage. It can be full, forbidden, or have what others wrote: then nothing is kept.
function attempt(work) {
	try {
		return work(localStorage);
	} catch {}
}

export const load = name => attempt(storage => JSON.parse(storage.getItem(name)));

// Return whether it is kept.
export const save = (name, value) =>
	attempt(storage => storage.setItem(name, JSON.stringify(value)) ?? true);

export const remove = name => attempt(storage => storage.removeItem(name));

// The names that begin like this; nothing: they cannot be read.
export const names = start =>
	attempt(storage => Object.keys(storage).filter(name => name.startsWith(start)));
