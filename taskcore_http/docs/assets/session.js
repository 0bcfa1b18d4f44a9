// Sign this browser in with the link that `taskctl serve` prints. Its secret is in the fragment,
// which no request carries, so it is in no log.
(async () => {
  const place = document.getElementById("session");

  async function send(method, path, body) {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    return [answer.ok, await answer.json()];
  }

  function show(text, button) {
    place.replaceChildren(text, ...(button ? [" ", button] : []));
  }

  async function showUser(refusal) {
    const [signedIn, me] = await send("GET", "me");
    if (!signedIn) {
      show(`You are not signed in: ${refusal || me.error.message}.`);
      return;
    }
    const button = document.createElement("button");
    button.textContent = "Sign out";
    button.onclick = async () => {
      await send("DELETE", "session");
      show("You are signed out.");
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
  try {
    let refusal = "";
    if (link !== null) {
      const [signedIn, answer] = await send("POST", "session", { link });
      refusal = signedIn ? "" : answer.error.message;
    }
    await showUser(refusal);
  } catch {
    show("The server does not answer.");
  }
})();
