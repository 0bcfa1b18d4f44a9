// Sign this browser in with a link, and out. The link's secret is in the fragment, which no request
// carries, so it is in no log.
import { call, Failure } from "./api.js";
import { $, ask, dataset, h, t } from "./dom.js";

const { sessions, signIn, signOut } = dataset;
const LINK = "#sign-in=";

// Take the secret out of the address. The history of a browser can keep it.
export function takeLink() {
	if (sessions && location.hash.startsWith(LINK)) {
		const link = location.hash.slice(LINK.length);
		history.replaceState(null, "", location.pathname + location.search);
		return link;
	}
}

// Return why the server refuses; nothing: it does not.
async function refusal(work) {
	try {
		await work();
	} catch (error) {
		if (!(error instanceof Failure)) {
			throw error;
		}
		return error.message || t("no_answer");
	}
}

// Return the id of who is signed in.
export const whoIs = async () => (await call("GET", "me")).content.user_id;

export const useLink = link =>
	refusal(async () => {
		const isFree = error => error.status === 401 || Promise.reject(error);
		if (await whoIs().then(isWanted, isFree)) {
			await call("POST", "session", { body: { link } });
		}
	});

// Whoever is signed in may have got the link from somebody who wants to see what they write.
async function isWanted(user) {
	$("#question-text").textContent = t("which_user", { user });
	return (await ask($("#question"))) === "yes";
}

export const canEnd = Boolean(sessions || signOut);

export const end = () =>
	refusal(async () => {
		if (sessions) {
			await call("DELETE", "session");
		}
		signOut ? location.assign(signOut) : location.reload();
	});

export const signInHint = () =>
	signIn ? h("a", { href: signIn }, t("sign_in")) : t(sessions ? "sign_in_link" : "sign_in_elsewhere");
