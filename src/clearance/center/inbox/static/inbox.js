"use strict";
// The page works without this file. With it: the clock counts, requests come in by themselves, decisions are
// sent without leaving the page, and the keys move around. No markup is ever made from text here: the list
// arrives as a parsed document (so no Trusted Types policy is needed), and its nodes are moved over.

const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const inbox = find("#inbox");
const aheadBy = Number(document.body.dataset.now) - Date.now(); // the Center's clock against this one
const ANSWERED_WITHIN = 15000, AGAIN_AFTER = 5000; // ms, for the list
const NO_CLICK_FOR = 400; // ms after things moved, so that the second half of a double click hits nothing new
let movedAt = -NO_CLICK_FOR;

// The clock

function span(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  const days = Math.floor(whole / 86400);
  return days === 1 ? "1 day" : `${days} days`;
}

function tick() {
  const now = Date.now() + aheadBy;
  for (const time of all("time[data-until], time[data-since]")) {
    const left = (Number(time.dataset.until ?? now) - now) / 1000;
    const past = (now - Number(time.dataset.since ?? now)) / 1000;
    const words = time.dataset.since
      ? past < 5 ? "just now" : `${span(past)} ago`
      : left > 0 ? `${span(left)} left` : "time is up";
    if (time.textContent !== words) time.textContent = words;
    time.classList.toggle("soon", "until" in time.dataset && left < 120);
  }
}

// What changed

const cards = () => all("#waiting > .card");
const isBusy = (element) =>
  element.contains(document.activeElement) && document.activeElement !== element
  || all(".reason", element).some((field) => field.value) || find("details.confirm[open], details.change[open], details.again[open]", element) !== null;

let silence = 0;

function say(text) {
  clearTimeout(silence);
  find("#said").textContent = text;
  silence = setTimeout(() => { find("#said").textContent = ""; }, 6000);
}

function remove(card) {
  const next = card.nextElementSibling ?? card.previousElementSibling;
  const hadFocus = card.contains(document.activeElement);
  card.remove();
  movedAt = performance.now();
  if (hadFocus) (next ?? find("#main")).focus();
}

function close(card, why) {
  // Somebody else decided it. It stays where it is, so that nothing moves under this approver's hand.
  if (card.classList.contains("gone")) return;
  card.classList.add("gone");
  for (const control of all("button, input, summary", card)) {
    control.disabled = true;
    control.tabIndex = -1;
  }
  show(card, why);
}

function show(place, text) {
  const problem = find(".problem", place);
  if (problem === null) return say(text);
  problem.textContent = text;
  problem.hidden = false;
}

function merge(fresh) {
  const known = new Map(cards().map((card) => [card.dataset.id, card]));
  const arrived = [];
  for (const card of all("#waiting > .card", fresh)) {
    const old = known.get(card.dataset.id);
    known.delete(card.dataset.id);
    if (old === undefined) {
      find("#waiting").append(card);
      arrived.push(card.dataset.says);
    } else if (old.dataset.version !== card.dataset.version && !isBusy(old)) {
      old.replaceWith(card);
    }
  }
  if (find("[aria-busy=true]") === null) { // else some of them may be this approver's own decision
    for (const card of known.values()) close(card, "Decided elsewhere, or over. What came of it stands below.");
  }
  const closing = document.activeElement.closest(".glass")?.dataset.id;
  const open = new Set(all(".glass").map((banner) => banner.dataset.id));
  const opened = all(".glass", fresh).filter((banner) => !open.has(banner.dataset.id));
  for (const part of ["stopped", "glass", "count", "levels", "bulk", "standing", "recent", "policy"]) {
    const old = find(`#${part}`), now = find(`#${part}`, fresh);
    if ((part === "glass" || !isBusy(old)) && old.innerHTML !== now.innerHTML) old.replaceChildren(...now.childNodes);
  }
  if (closing) find(`.glass[data-id="${closing}"] button`)?.focus(); // what is open is told even to whoever is about to close one
  find("#empty").hidden = cards().length > 0;
  inbox.dataset.count = fresh.dataset.count;
  document.title = fresh.dataset.title;
  if (opened.length) return say(`Break-glass opened. ${opened.map((banner) => find("p", banner).textContent).join(" ")}`);
  if (arrived.length === 1) say(`New request: ${arrived[0]}`);
  if (arrived.length > 1) say(`${arrived.length} new requests`);
}

let isReading = false, isStale = false;
let decided = 0; // so often; a list that was asked for before may still have what is decided by now

function refresh() {
  isStale = true;
  if (isReading) return;
  isReading = true;
  isStale = false;
  const before = decided;
  const request = new XMLHttpRequest();
  request.open("GET", "/inbox/list");
  request.responseType = "document";
  request.timeout = ANSWERED_WITHIN;
  request.setRequestHeader("Accept", "application/json"); // a refusal is then no page
  request.onloadend = () => {
    isReading = false;
    const fresh = request.status === 200 && request.response ? find("#inbox", request.response) : null;
    if (fresh && before === decided) {
      merge(document.adoptNode(fresh));
      tick();
    }
    if (request.status === 401 || request.status === 403) state("out", "signed out");
    else if (!fresh) setTimeout(refresh, AGAIN_AFTER); // the next change may be a long time off
    if (isStale) refresh();
  };
  request.send();
}

function state(name, text) {
  const live = find("#live");
  live.dataset.state = name;
  live.textContent = text;
  live.hidden = false;
}

function listen() {
  const events = new EventSource("/inbox/events");
  events.addEventListener("open", () => state("on", "live"));
  events.addEventListener("changed", refresh);
  events.addEventListener("error", () => {
    if (events.readyState !== EventSource.CLOSED) return state("off", "reconnecting");
    state("off", "not live");
    setTimeout(listen, AGAIN_AFTER); // a browser gives up on an answer that is no stream: the Center may be restarting
  });
  addEventListener("pagehide", () => events.close());
}

// Deciding

async function send(event) {
  const form = event.target;
  if (!form.matches("form[data-live]")) return;
  event.preventDefault();
  const place = form.closest(".card, .panel, .glass");
  const body = new URLSearchParams(new FormData(form));
  if (place.ariaBusy === "true") return;
  place.ariaBusy = "true"; // not disabled: that would take the focus away
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.status === 401) return location.assign("/sign-in");
    const said = await answer.json();
    if (!answer.ok) return show(place, said.detail);
    done(form, said.said);
  } catch {
    show(place, "The Center could not be reached, so it may not have been told. Try again.");
  } finally {
    place.ariaBusy = null;
    if (inbox) refresh();
  }
}

function done(form, said) {
  if (inbox === null) return location.reload();
  decided += 1;
  for (const card of all("#waiting > .card.gone")) card.remove();
  if (form.closest(".glass")) {
    form.closest(".glass").remove();
    find("#main").focus();
  } else if (form.closest(".card")) remove(form.closest(".card"));
  else if (form.closest("#standing")) form.closest("li").remove();
  else for (const id of new FormData(form).get("ids").split(" ")) find(`#request-${id}`)?.remove();
  form.closest("details.confirm")?.removeAttribute("open");
  movedAt = performance.now();
  say(said);
}

// Keys: letters only move the focus; what has it then answers to Enter, as anywhere

const current = () => document.activeElement.closest("#waiting > .card");

function move(step) {
  const those = cards(), at = those.indexOf(current());
  const to = at < 0 ? (step > 0 ? 0 : those.length - 1) : Math.min(Math.max(at + step, 0), those.length - 1);
  those[to]?.focus();
}

function go(selector) {
  const card = current() ?? find(".card");
  const confirm = selector === ".approve" && card && find(".approve details.confirm", card);
  if (confirm) confirm.open = true;
  (card && find(confirm ? ".approve input[type=checkbox]" : selector === ".approve" ? ".approve .yes" : selector, card))?.focus();
}

const KEYS = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  a: () => go(".approve"), d: () => go(".reason"), "?": () => find("#help")?.showModal(),
};

function press(event) {
  const isTyping = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape" && find("#bulk details[open]")) find("#bulk details").open = false;
  if (event.key === "Escape" && isTyping) return (current() ?? event.target).focus();
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]") || !(event.key in KEYS)) return;
  if (event.key.startsWith("Arrow") && cards().length < 2) return; // then arrows scroll, as anywhere
  event.preventDefault();
  KEYS[event.key]();
}

function guard(event) {
  if (event.detail > 0 && performance.now() - movedAt < NO_CLICK_FOR) {
    event.preventDefault();
    event.stopPropagation();
  }
}

const enter = find("#enter");
if (enter) {
  history.replaceState(null, "", "/sign-in"); // the token need not stay in the history
  enter.requestSubmit();
}
tick();
setInterval(tick, 1000);
document.addEventListener("submit", send);
document.addEventListener("keydown", press);
if (inbox) {
  inbox.addEventListener("click", guard, true);
  find("#keys").hidden = false;
  find("#keys").addEventListener("click", KEYS["?"]);
  listen();
}
