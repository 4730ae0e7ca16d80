// Which master the page is about, where a process serves several. The choice stands in the
// page's address (?master=), so that it can be linked to and lasts.
import { byId, html, setText } from "./dom.js";
import { stateOf, wordOf } from "./state.js";

let wanted = new URLSearchParams(location.search).get("master") ?? "";

const says = (name, status) => `${name} (${wordOf(stateOf(status)).toLowerCase()})`;

// chosenOf gives the name and the status of the master that is chosen, and shows what there
// is to choose from. Where there is but one its name is "", and there is nothing to choose.
export function chosenOf(all) {
  byId("chooser").hidden = !all.masters;
  if (!all.masters) return ["", all];
  const names = Object.keys(all.masters), name = names.includes(wanted) ? wanted : names[0], select = byId("master");
  if (names.join("\n") !== [...select.options].map((o) => o.value).join("\n")) select.replaceChildren(...names.map((n) => html("option", { value: n })));
  for (const option of select.options) setText(option, says(option.value, all.masters[option.value]));
  if (select.value !== name) select.value = name;
  const bad = names.filter((n) => n !== name && stateOf(all.masters[n]) !== "serving");
  setText(byId("others"), bad.length ? `! ${bad.map((n) => says(n, all.masters[n])).join(", ")}` : "");
  return [name, all.masters[name]];
}

// onChoice calls change when somebody chooses another master.
export function onChoice(change) {
  byId("master").addEventListener("change", () => {
    wanted = byId("master").value;
    const address = new URL(location.href);
    address.searchParams.set("master", wanted);
    window.history.replaceState(null, "", address);
    change();
  });
}
