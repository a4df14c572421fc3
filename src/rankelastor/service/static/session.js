"use strict";
/* Asks the service. Where it wants a token, the reader is asked for one, which this tab keeps until it is closed. */
const session = (() => {
  const NAME = "rankelastor-token";
  let asking = null;
  function askForToken(wasWrong) {
    asking ??= new Promise(given => {
      const dialog = document.createElement("dialog");
      dialog.id = "token";
      dialog.innerHTML = `<form method="dialog"><p></p>
        <input type="password" name="token" aria-label="Token" autocomplete="off" required autofocus>
        <p><button>Continue</button></p></form>`;
      dialog.querySelector("p").textContent = wasWrong
        ? "This token is not the service's. Try another one:"
        : "This service wants a token, the one in its RANKELASTOR_TOKEN:";
      dialog.addEventListener("cancel", event => event.preventDefault());
      dialog.addEventListener("close", () => {
        sessionStorage.setItem(NAME, dialog.querySelector("input").value.trim());
        dialog.remove();
        asking = null;
        given();
      });
      document.body.append(dialog);
      dialog.showModal();
    });
    return asking;
  }
  async function ask(path, body) {
    for (;;) {
      const token = sessionStorage.getItem(NAME), headers = {};
      if (token) headers.Authorization = `Bearer ${token}`;
      if (body !== undefined) headers["Content-Type"] = "application/json";
      const answer = await fetch(path, {method: body === undefined ? "GET" : "POST", headers, body});
      if (answer.status !== 401) return answer;
      if (sessionStorage.getItem(NAME) === token) await askForToken(token !== null);
    }
  }
  async function json(path, content) {
    const answer = await ask(path, content === undefined ? undefined : JSON.stringify(content));
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    return told;
  }
  return {ask, json};
})();
