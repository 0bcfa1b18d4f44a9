// Say who is signed in. The page of the tasks signs browsers in and out.
(async () => {
  const place = document.getElementById("session");
  const tasks = document.createElement("a");
  tasks.href = place.dataset.page;
  try {
    const answer = await fetch("me");
    const { user_id: user } = await answer.json();
    place.append(answer.ok ? `You are signed in as user ${user}. ` : "You are not signed in. ");
    tasks.textContent = answer.ok ? "Your tasks" : "Sign in";
  } catch {
    place.append("The server does not answer. ");
    tasks.textContent = "Try again";
    tasks.href = "";
  }
  place.append(tasks);
})();
