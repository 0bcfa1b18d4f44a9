// Sign this browser in with the link that `taskctl serve` prints. Its secret is in the fragment,
// which no request carries, so it is in no log.
(async () => {
  const place = document.getElementById("session");

  // Return what the server answers, or why it refuses.
  async function send(method, path, body) {
    const headers = body ? { "Content-Type": "application/json" } : {};
    try {
      const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      const content = await answer.json();
      return answer.ok ? { content } : { refusal: content.error.message };
    } catch {
      return { refusal: "the server does not answer" };
    }
  }

  function show(text, ...buttons) {
    place.replaceChildren(text, ...buttons.flatMap((button) => [" ", button]));
  }

  function button(text, onclick) {
    const made = document.createElement("button");
    made.textContent = text;
    made.onclick = onclick;
    return made;
  }

  async function showUser(signInRefusal) {
    const { content: me, refusal } = await send("GET", "me");
    if (refusal) {
      show(`You are not signed in: ${signInRefusal || refusal}.`);
      return;
    }
    const user = `signed in as user ${me.user_id}`;
    const signOut = button("Sign out", async () => {
      const { refusal } = await send("DELETE", "session");
      if (refusal) {
        show(`You may still be ${user}: ${refusal}.`, signOut);
      } else {
        show("You are signed out.");
      }
    });
    show(signInRefusal ? `You are still ${user}: ${signInRefusal}.` : `You are ${user}.`, signOut);
  }

  async function signIn(link) {
    const { refusal } = await send("POST", "session", { link });
    await showUser(refusal);
  }

  // Whoever is signed in may have got the link from somebody who wants to see what they write.
  async function ask(link) {
    const { content: me } = await send("GET", "me");
    if (!me) {
      await signIn(link);
      return;
    }
    show(
      `You are signed in as user ${me.user_id}. The link can be that of another user.`,
      button("Sign in with the link", () => signIn(link)),
      button("Stay signed in", () => showUser()),
    );
  }

  // If the tab already shows the page, opening a link only changes the fragment: nothing is loaded.
  addEventListener("hashchange", () => {
    if (location.hash.startsWith("#sign-in=")) {
      location.reload();
    }
  });

  const link = new URLSearchParams(location.hash.slice(1)).get("sign-in");
  // At once, because Swagger UI changes the fragment.
  if (link !== null) {
    // The address bar does not keep the secret. The history may, as Chromium's does.
    history.replaceState(null, "", location.pathname + location.search);
  }
  await (link === null ? showUser() : ask(link));
})();
