/* Long tables: unpack the rows, filter, sort, page, open details. Text is only ever set as text, so that nothing in data runs. */
"use strict";

(() => {
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
  const count = new Intl.NumberFormat("en-US");
  const folded = (value) => String(value ?? "").toLowerCase();

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text.trim()), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function written(column, value) {
    if (value === null || value === undefined || (Array.isArray(value) && !value.length)) return "";
    if (column.kind === "list") return value.map((one) => column.words[one] ?? one).join("; ");
    if (column.kind === "number") return count.format(value);
    if (column.kind === "dollars") return money.format(value);
    if (column.kind === "percent") return (100 * value).toFixed(1) + "%";
    return column.words[value] ?? String(value);
  }

  function shown(column, value) {
    const text = written(column, value);
    if (column.kind === "list" && (column.lines || column.place === "detail") && value && value.length > 1) {
      return element("ul", {}, ...value.map((one) => element("li", {}, column.words[one] ?? one)));
    }
    if (!column.link || text === "") return document.createTextNode(text);
    return element("a", { href: column.link.replace("{}", encodeURIComponent(value)) }, text);
  }

  class Grid {
    constructor(place, shape, rows) {
      Object.assign(this, { place, shape, rows, page: 0, sort: null, open: new Set(), controls: {} });
      this.columns = Object.fromEntries(shape.columns.map((column) => [column.key, column]));
      this.inRow = shape.columns.filter((column) => column.place === "row");
      this.inDetail = shape.columns.filter((column) => column.place === "detail");
      this.total = rows[shape.columns[0].key].length;
      this.table = place.querySelector("table");
      this.status = place.querySelector("[role=status]");
      this.makeFilters(place.querySelector("form"));
      this.makeHead();
      this.makePager(place.querySelector(".pager"));
      this.readAddress();
      addEventListener("hashchange", () => this.readAddress());
    }

    makeFilters(form) {
      for (const filter of this.shape.filters) {
        const id = `${this.shape.name}-${filter.key}`;
        let control;
        if (filter.kind === "choice") {
          const column = this.columns[filter.key];
          const values = new Set(this.rows[filter.key].flat());
          values.delete(null);
          const named = [...values].map((value) => [String(value), written({ ...column, kind: "text" }, value)]);
          named.sort((one, other) => one[1].localeCompare(other[1], "en", { numeric: true }));
          control = element("select", { id, name: filter.key }, element("option", { value: "" }, "all"));
          control.append(...named.map(([value, text]) => element("option", { value }, text)));
          control.addEventListener("change", () => this.changed());
        } else {
          control = element("input", { id, name: filter.key, type: "search", autocomplete: "off", spellcheck: "false" });
          let waiting;
          control.addEventListener("input", () => {
            clearTimeout(waiting);
            waiting = setTimeout(() => this.changed(), 150);
          });
        }
        this.controls[filter.key] = control;
        form.append(element("div", {}, element("label", { for: id }, filter.label), control));
      }
      const clear = element("button", { type: "button" }, "Clear");
      clear.addEventListener("click", () => {
        for (const control of Object.values(this.controls)) control.value = "";
        this.changed();
      });
      form.append(clear);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.changed();
      });
    }

    makeHead() {
      const row = element("tr");
      if (this.inDetail.length) row.append(element("th", { scope: "col" }, element("span", { class: "visually-hidden" }, "Details")));
      for (const column of this.inRow) {
        const button = element("button", { type: "button", class: "sort" }, column.label);
        const head = element("th", { scope: "col", "data-column": column.key }, button);
        if (["number", "dollars", "percent"].includes(column.kind)) head.className = "n";
        button.addEventListener("click", () => {
          const falls = this.sort?.key === column.key && !this.sort.falls;
          this.sort = { key: column.key, falls };
          for (const other of this.table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
          head.setAttribute("aria-sort", falls ? "descending" : "ascending");
          this.page = 0;
          this.arrange();
        });
        row.append(head);
      }
      this.table.tHead.replaceChildren(row);
    }

    makePager(pager) {
      this.earlier = element("button", { type: "button" }, "Previous");
      this.later = element("button", { type: "button" }, "Next");
      this.where = element("span");
      this.earlier.addEventListener("click", () => this.turn(-1));
      this.later.addEventListener("click", () => this.turn(1));
      pager.append(this.earlier, this.where, this.later);
    }

    turn(step) {
      this.page += step;
      this.open.clear();
      this.draw();
      this.place.scrollIntoView({ block: "start" });
    }

    readAddress() {
      const wanted = new URLSearchParams(location.hash.slice(1));
      for (const filter of this.shape.filters) {
        const value = wanted.get(filter.key) ?? (wanted.size ? "" : filter.first);
        this.controls[filter.key].value = value;
      }
      this.changed(false);
    }

    changed(remember = true) {
      const asked = this.shape.filters.map((filter) => [filter, this.controls[filter.key].value.trim()]).filter(([, value]) => value);
      if (remember) {
        const address = new URLSearchParams(asked.map(([filter, value]) => [filter.key, value]));
        history.replaceState(null, "", address.size ? `#${address}` : location.pathname + location.search);
      }
      let kept = Array.from({ length: this.total }, (_, index) => index);
      if (this.shape.asks_first && !asked.length) kept = [];
      for (const [filter, value] of asked) {
        const values = this.rows[filter.key];
        const column = this.columns[filter.key];
        const wanted = folded(value);
        const tests = {
          choice: (one) => (Array.isArray(one) ? one.map(String).includes(value) : String(one) === value),
          is: (one) => folded(one) === wanted,
          contains: (one) => folded(written(column, one)).includes(wanted),
        };
        kept = kept.filter((index) => tests[filter.kind](values[index]));
      }
      this.kept = kept;
      this.waits = this.shape.asks_first && !asked.length;
      this.page = 0;
      this.arrange();
    }

    arrange() {
      if (this.sort) {
        const values = this.rows[this.sort.key];
        const column = this.columns[this.sort.key];
        const turn = this.sort.falls ? -1 : 1;
        const key = ["number", "dollars", "percent"].includes(column.kind) ? (index) => values[index] : (index) => written(column, values[index]);
        this.kept.sort((one, other) => {
          const [left, right] = [key(one), key(other)];
          if (left === right) return one - other;
          if (left === null || left === "") return 1;
          if (right === null || right === "") return -1;
          return (left < right ? -1 : 1) * turn;
        });
      }
      this.open.clear();
      this.draw();
    }

    draw() {
      const { size } = this.shape;
      const first = this.page * size;
      const visible = this.kept.slice(first, first + size);
      const body = [];
      for (const index of visible) body.push(...this.line(index));
      if (!visible.length) {
        const text = this.waits ? "Type or choose something above." : this.shape.empty;
        body.push(element("tr", {}, element("td", { colspan: this.inRow.length + (this.inDetail.length ? 1 : 0) }, text)));
      }
      this.table.tBodies[0].replaceChildren(...body);
      const pages = Math.max(1, Math.ceil(this.kept.length / size));
      this.where.textContent = `Page ${this.page + 1} of ${count.format(pages)}`;
      this.earlier.disabled = this.page === 0;
      this.later.disabled = this.page + 1 >= pages;
      this.status.textContent = this.waits ? "" : `${count.format(this.kept.length)} of ${count.format(this.total)} rows`;
    }

    line(index) {
      const row = element("tr", { "data-row": index });
      const detail = element("tr", { class: "detail", id: `${this.shape.name}-detail-${index}`, hidden: "" });
      if (this.inDetail.length) {
        const button = element("button", { type: "button", class: "opens", "aria-expanded": "false", "aria-controls": detail.id });
        button.append(element("span", { "aria-hidden": "true" }, "+"), element("span", { class: "visually-hidden" }, "Details of this row"));
        button.addEventListener("click", () => {
          const opens = detail.hidden;
          if (opens && !detail.firstChild) detail.append(this.details(index));
          detail.hidden = !opens;
          button.setAttribute("aria-expanded", String(opens));
          button.firstChild.textContent = opens ? "\u2212" : "+";
        });
        row.append(element("td", {}, button));
      }
      for (const column of this.inRow) {
        const cell = element("td", { "data-column": column.key, "data-label": column.label }, shown(column, this.rows[column.key][index]));
        if (["number", "dollars", "percent"].includes(column.kind)) cell.className = "n";
        else if (["month", "date"].includes(column.kind)) cell.className = "day";
        row.append(cell);
      }
      return this.inDetail.length ? [row, detail] : [row];
    }

    details(index) {
      const list = element("dl");
      for (const column of this.inDetail) {
        const value = this.rows[column.key][index];
        if (written(column, value) === "") continue;
        list.append(element("dt", {}, column.label), element("dd", { "data-column": column.key }, shown(column, value)));
      }
      return element("td", { colspan: this.inRow.length + 1 }, list);
    }
  }

  addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll("[data-grid]")) {
      const name = place.dataset.grid;
      const shape = JSON.parse(document.getElementById(`${name}-shape`).textContent);
      // Two frames: the page is painted before the rows are unpacked.
      requestAnimationFrame(() =>
        setTimeout(async () => {
          const packed = document.getElementById(`${name}-rows`);
          const grid = new Grid(place, shape, await unpack(packed.textContent));
          packed.remove();
          place.dataset.ready = String(grid.total);
        }),
      );
    }
  });
})();
