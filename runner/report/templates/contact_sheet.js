"use strict";
(() => {
  const CHUNK = 60;
  const OUTCOMES = {
    passed: "Same person", not_confirmed: "Not confirmed", unchecked: "Not checked",
    refused: "Refused", failed: "Failed", released: "Handed back",
  };
  const MARKS = { passed: "✓", not_confirmed: "✕", unchecked: "–", refused: "!", failed: "✕", pending: "…" };
  const WORST = ["failed", "refused", "not_confirmed", "unchecked", "passed", "released", "pending"];
  const data = JSON.parse(document.getElementById("jobs").textContent);
  const byId = (id) => document.getElementById(id);
  const [cards, dialog, end] = ["cards", "job", "end"].map(byId);
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const usual = data.sort || "worst";
  const state = { show: "all", find: "", sort: usual, job: null };
  let list = [], drawn = 0;

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  }

  const number = (value, digits = 2) => value === undefined ? "–" : value.toFixed(digits).replace("-", "−");

  function duration(seconds) {
    if (seconds === undefined) return "–";
    if (seconds < 0.1) return "< 0.1 s";
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  }

  const shortServer = (url) => (url || "").replace(/^https?:\/\//, "").replace(/\/$/, "");

  function picture(source, alt, lazy) {
    const image = make("img");
    if (lazy) image.loading = "lazy";
    image.decoding = "async";
    image.alt = alt;
    image.src = source;
    return image;
  }

  function scale(job) {
    const low = Math.min(0, Math.floor(Math.min(job.score, job.threshold) * 5) / 5);
    const at = (value) => `${(100 * (Math.min(Math.max(value, low), 1) - low) / (1 - low)).toFixed(2)}%`;
    const good = job.score >= job.threshold;
    const [yes, gate, score] = [make("span", "yes"), make("span", "gate"), make("span", `score ${good ? "ok" : "low"}`, make("i"))];
    yes.style.left = gate.style.left = at(job.threshold);
    score.style.left = at(job.score);
    const drawing = make("div", "scale", make("div", "top", score), make("div", "track", yes, gate));
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", `Score ${number(job.score)}, threshold ${number(job.threshold)}`);
    return drawing;
  }

  function frame(source, alt, job) {
    if (source) return make("div", "frame", picture(source, alt, true));
    return make("div", `frame empty ${job.kind}`, make("span", "", alt === "Result" ? MARKS[job.kind] : "No picture"));
  }

  function card(job, index) {
    const pill = make("span", `pill ${job.kind}`, job.word);
    const open = make("button", "open", make("bdi", "", job.name));
    open.type = "button";
    open.title = job.name;
    open.dataset.index = index;
    open.setAttribute("aria-label", `${job.name}: ${job.word}`);
    const line = make("div", "line");
    if (job.score !== undefined && job.threshold !== undefined) {
      const score = make("b", job.score >= job.threshold ? "ok" : "low", number(job.score));
      line.append(scale(job), make("span", "figures", score, make("span", "quiet", ` / ${number(job.threshold)}`)));
    } else {
      const reason = make("p", `why ${job.kind}`, job.reason || "");
      reason.title = job.reason || "";
      line.append(reason);
    }
    const look = job.to_look_at ? make("p", "why refused look", (job.look || []).join(" ") || job.picture) : "";
    const meta = [job.tries > 1 ? `${job.tries} attempts` : job.tries ? "1 attempt" : "", shortServer(job.server),
      job.seconds === undefined ? "" : duration(job.seconds)];
    return make("article", `job is-${job.kind}`,
      make("div", "two", frame(job.photo, "Photo", job), frame(job.result, "Result", job)),
      make("div", "head", make("h3", "", open), pill), line,
      look, make("p", "meta", meta.filter(Boolean).join(" · ")));
  }

  function more(count = CHUNK) {
    const part = document.createDocumentFragment();
    for (const job of list.slice(drawn, drawn + count)) part.append(card(job, drawn++));
    cards.append(part);
    end.hidden = drawn >= list.length;
  }

  function compare(sort) {
    const value = (job, name, none) => job[name] === undefined ? none : job[name];
    const bad = (job) => WORST.indexOf(job.kind) * 2 + (job.to_look_at ? 0 : 1);
    const orders = {
      worst: (a, b) => bad(a) - bad(b),
      score: (a, b) => value(a, "score", 9) - value(b, "score", 9),
      best: (a, b) => value(b, "score", -9) - value(a, "score", -9),
      slow: (a, b) => value(b, "seconds", -1) - value(a, "seconds", -1),
      late: (a, b) => value(b, "finished", -1) - value(a, "finished", -1),
    };
    const names = (a, b) => collator.compare(a.name, b.name);
    return orders[sort] ? (a, b) => orders[sort](a, b) || names(a, b) : names;
  }

  function draw() {
    const wanted = state.find.trim().toLocaleLowerCase();
    list = data.jobs.filter((job) => (state.show === "all" || (state.show === "look" ? job.to_look_at : job.kind === state.show))
      && (!wanted || job.name.toLocaleLowerCase().includes(wanted) || (job.input || "").toLocaleLowerCase().includes(wanted)));
    list.sort(compare(state.sort));
    drawn = 0;
    cards.replaceChildren();
    more();
    const [all, count] = [data.jobs.length, list.length].map((each) => each.toLocaleString("en"));
    byId("shown").textContent = list.length === data.jobs.length ? `${all} shown` : `${count} of ${all} shown`;
    byId("none").hidden = list.length > 0;
    for (const button of document.querySelectorAll("[data-show]")) {
      button.setAttribute("aria-pressed", String(button.dataset.show === state.show));
    }
    byId("find").value = state.find;
    byId("sort").value = state.sort;
    remember();
  }

  function remember() {
    const kept = Object.entries(state).filter(([name, value]) => value && value !== { show: "all", sort: usual }[name]);
    try {
      history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
    } catch { /* some browsers forbid it for files: the page works without */ }
  }

  function table(head, rows) {
    const cell = (tag) => (value) => make(tag, "", value);
    const body = rows.map((row) => make("tr", "", ...row.map(cell("td"))));
    const titles = make("tr", "", ...head.map(cell("th")));
    return make("div", "wide", make("table", "", make("thead", "", titles), make("tbody", "", ...body)));
  }

  function link(href, ...children) {
    const anchor = make("a", "", ...children);
    anchor.href = href;
    return anchor;
  }

  function figures(job) {
    const pair = make("div", "pair");
    const shown = (job.files || []).find((file) => file.shown);
    if (job.photo) pair.append(make("figure", "", make("div", "frame", picture(job.photo, "Photo")),
      make("figcaption", "", make("b", "", "Photo"), make("bdi", "", job.input || ""))));
    if (shown) {
      pair.append(make("figure", "", make("div", "frame", link(shown.href, picture(shown.href, "Result"))),
        make("figcaption", "", make("b", "", "Result"), link(shown.href, make("bdi", "", shown.name)))));
    }
    return pair.childElementCount ? pair : null;
  }

  function facts(job) {
    const given = (value, text) => value === undefined ? "" : text(value);
    const values = {
      Score: given(job.score, (value) => number(value, 3)),
      Threshold: given(job.threshold, (value) => number(value, 3)),
      Picture: job.picture || "",
      Attempts: given(job.tries, String),
      Server: shortServer(job.server),
      Time: given(job.seconds, duration),
      Error: job.code || "",
    };
    const lines = Object.entries(values).filter(([, value]) => value);
    return make("dl", "", ...lines.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
  }

  function outcome(attempt) {
    const kind = attempt.outcome || "pending";
    const tag = make("span", `tag ${kind}`, OUTCOMES[attempt.outcome] || "Not finished");
    const why = [attempt.code, attempt.error].filter(Boolean).join(": ");
    return make("div", "", tag, why ? make("p", "quiet", why) : null);
  }

  function details(job) {
    const parts = [make("p", "verdict-line", make("span", `pill ${job.kind}`, job.word), job.reason || ""),
      ...(job.look || []).map((text) => make("p", "warning", text)), figures(job)];
    if (job.score !== undefined && job.threshold !== undefined) parts.push(scale(job));
    parts.push(make("div", "facts", facts(job), links(job)));
    if (job.attempts) {
      parts.push(make("h3", "", "Attempts"), table(["", "Outcome", "Score", "Seed", "Server", "Time"], job.attempts.map((each) => [
        String(each.number), outcome(each), number(each.score, 3), each.seed === undefined ? "–" : String(each.seed),
        shortServer(each.server), duration(each.seconds)])));
    }
    if (job.models !== undefined) {
      parts.push(make("h3", "", "Models and licences"), table(["Model", "For", "Licence", "Commercial"],
        data.models[job.models].map((each) => [each.name, each.use || "", each.licence || "unknown",
          make("span", `tag ${{ yes: "ok", no: "low" }[each.commercial] || "unclear"}`, each.commercial || "unclear")])));
    }
    return parts.filter(Boolean);
  }

  function links(job) {
    const items = (job.files || []).map((file) => make("li", "", link(file.href, make("bdi", "", file.name))));
    if (job.report) items.unshift(make("li", "", link(job.report, "Report of this job")));
    items.push(...(job.settings || []).map((text) => make("li", "quiet", make("code", "", text))));
    return make("ul", "links", ...items, make("li", "quiet", "Key ", make("code", "", job.key.slice(0, 16))));
  }

  function show(index) {
    const job = list[index];
    if (!job) return;
    state.job = job.name;
    while (drawn <= index) more();
    byId("job-name").replaceChildren(make("bdi", "", job.name));
    byId("place").textContent = `${(index + 1).toLocaleString("en")} of ${list.length.toLocaleString("en")}`;
    byId("details").replaceChildren(...details(job));
    byId("back").disabled = index === 0;
    byId("next").disabled = index === list.length - 1;
    dialog.dataset.index = index;
    if (!dialog.open) dialog.showModal();
    dialog.focus();
    dialog.scrollTop = 0;
    remember();
  }

  const step = (by) => show(Number(dialog.dataset.index) + by);

  function moveFocus(event) {
    const at = Number(document.activeElement.dataset.index);
    const columns = getComputedStyle(cards).gridTemplateColumns.split(" ").length;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (by === undefined || !(at + by in list)) return;
    while (drawn <= at + by) more();
    cards.children[at + by].querySelector(".open").focus();
    event.preventDefault();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialog.open) {
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    } else if (event.key === "/" && document.activeElement !== byId("find")) {
      byId("find").focus();
      event.preventDefault();
    } else if (document.activeElement.className === "open") moveFocus(event);
  }

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const name of ["show", "find", "sort", "job"]) state[name] = given.get(name) || state[name];
    if (!document.querySelector(`[data-show="${CSS.escape(state.show)}"]`)) state.show = "all";
    if (![...byId("sort").options].some((option) => option.value === state.sort)) state.sort = usual;
  }

  document.querySelector(".filters").addEventListener("click", (event) => {
    const button = event.target.closest("[data-show]");
    if (button) { state.show = button.dataset.show; draw(); }
  });
  byId("find").addEventListener("input", (event) => { state.find = event.target.value; draw(); });
  byId("sort").addEventListener("change", (event) => { state.sort = event.target.value; draw(); });
  byId("reset").addEventListener("click", () => { state.show = "all"; state.find = ""; draw(); });
  cards.addEventListener("click", (event) => {
    const open = event.target.closest(".job")?.querySelector(".open");
    if (open) show(Number(open.dataset.index));
  });
  byId("back").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    state.job = null;
    remember();
    cards.children[Number(dialog.dataset.index)]?.querySelector(".open").focus();
  });
  document.addEventListener("keydown", onKey);
  addEventListener("beforeprint", () => {
    more(list.length);
    for (const image of cards.querySelectorAll("img")) image.loading = "eager";
  });
  read();
  const first = state.job;
  draw();
  new IntersectionObserver((seen) => { if (seen.some((each) => each.isIntersecting)) more(); }, { rootMargin: "1500px" }).observe(end);
  if (first) show(list.findIndex((job) => job.name === first));
})();
