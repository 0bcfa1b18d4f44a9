// The ids of the tasks that match a query, as far as they are loaded. Each page begins where the one
// before it ends, so there is one request at a time.
import { call } from "./api.js";

const SIZES = [50, 200, 1000]; // The first page is soon there, the others are few.

export class View {
	ids = [];
	#pages = [];
	#edits = 0;
	#turn = Promise.resolve();
	#ended = new AbortController();

	// learn: is given the tasks that are loaded.
	constructor(path, query, learn) {
		Object.assign(this, { path, query, learn });
	}

	get isStarted() {
		return this.#pages.length > 0;
	}

	get isComplete() {
		return this.isStarted && !this.#pages.at(-1).next;
	}

	end() {
		this.#ended.abort();
	}

	#inTurn(work) {
		const turn = this.#turn.then(work);
		this.#turn = turn.catch(() => (this.hasFailed = true));
		return turn;
	}

	// Load pages until there are this many tasks.
	load(count) {
		return this.#inTurn(async () => {
			while (!this.isComplete && this.ids.length < count) {
				const limit = SIZES[this.#pages.length] ?? SIZES.at(-1);
				const page = { after: this.#pages.at(-1)?.next, limit };
				const ids = await this.#fetch(page);
				this.#pages.push(Object.assign(page, { length: ids.length }));
				this.ids = this.ids.concat(ids);
			}
		});
	}

	// Ask what has changed in the first page and in those with these rows; the others are asked when
	// they are looked at.
	async refresh(first, last) {
		this.hasFailed = false;
		this.#pages.forEach(page => (page.isStale = true));
		await this.freshen(0, 0);
		await this.freshen(first, last);
	}

	freshen(first, last) {
		return this.#inTurn(async () => {
			let start = 0;
			for (const [n, page] of this.#pages.entries()) {
				if (page.isStale && start <= last && first < start + Math.max(page.length, 1)) {
					const { next, length } = page;
					const ids = await this.#fetch(page);
					page.isStale = false;
					if (ids) {
						// If it ends elsewhere now, so do the pages behind it: they are loaded again.
						if (page.next !== next) {
							this.#pages.length = n + 1;
							this.ids.length = start;
						}
						this.ids.splice(start, length, ...ids);
						page.length = ids.length;
					}
				}
				start += page.length;
			}
		});
	}

	async #fetch(page) {
		const { after, limit, etag } = page;
		// A cursor is as it was in a URL.
		const query = `${new URLSearchParams({ ...this.query, limit })}${after ? `&after=${after}` : ""}`;
		const headers = etag && { "If-None-Match": etag };
		let answer, edits;
		do {
			edits = this.#edits;
			answer = await call("GET", `${this.path}?${query}`, { headers, signal: this.#ended.signal });
		} while (edits !== this.#edits); // The answer may be from before the edit.
		const { content, ...rest } = answer;
		if (content) {
			Object.assign(page, rest);
			this.learn(content);
			return content.map(task => task.id);
		}
	}

	add(id) {
		this.#edits += 1;
		if (this.isStarted && !this.ids.includes(id)) {
			this.ids.unshift(id);
			this.#pages[0].length += 1;
		}
	}

	remove(ids) {
		const gone = new Set(ids);
		this.#edits += 1;
		let start = 0;
		for (const page of this.#pages) {
			const kept = this.ids.slice(start, start + page.length).filter(id => !gone.has(id));
			this.ids.splice(start, page.length, ...kept);
			start += page.length = kept.length;
		}
	}
}
