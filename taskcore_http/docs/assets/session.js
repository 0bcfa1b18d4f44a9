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

  function show(text, button) {
    place.replaceChildren(text, ...(button ? [" ", button] : []));
  }

  async function showUser(signInRefusal) {
    const { content: me, refusal } = await send("GET", "me");
    if (refusal) {
      show(`You are not signed in: ${signInRefusal || refusal}.`);
      return;
    }
    const button = document.createElement("button");
    button.textContent = "Sign out";
    button.onclick = async () => {
      const { refusal } = await send("DELETE", "session");
      if (refusal) {
        show(`You may still be signed in as user ${me.user_id}: ${refusal}.`, button);
      } else {
        show("You are signed out.");
      }
    };
    show(`You are signed in as user ${me.user_id}.`, button);
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
    // Neither the address bar nor the history keeps the secret.
    history.replaceState(null, "", location.pathname + location.search);
  }
  const { refusal } = link === null ? {} : await send("POST", "session", { link });
  await showUser(refusal);
})();
