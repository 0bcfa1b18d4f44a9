// Sign this browser in with a link, and out. The link's secret is in the fragment, which no request
// carries, so it is in no log.
import { call, Failure } from "./api.js";
import { $, dataset, h, t } from "./dom.js";

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

// Return who is signed in; null: nobody.
export async function whoIs() {
	try {
		return (await call("GET", "me")).content;
	} catch (error) {
		if (error.status === 401) {
			return null;
		}
		throw error;
	}
}

export const useLink = (link) =>
	refusal(async () => {
		const me = await whoIs();
		if (me === null || (await isWanted(me.user_id))) {
			await call("POST", "session", { body: { link } });
		}
	});

// Whoever is signed in may have got the link from somebody who wants to see what they write.
function isWanted(user) {
	const dialog = $("#question");
	$("#question-text").textContent = t("which_user", { user });
	dialog.returnValue = "";
	dialog.showModal();
	return new Promise((resolve) => (dialog.onclose = () => resolve(dialog.returnValue === "yes")));
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
