// Who called whom in one trace: agents, tools and models as places, calls between them with their count and errors.

import { count, dollars, duration, h, plural } from "../kit/dom.js";

const NODE_HEIGHT = 36;
const NODE_GAP = 12;
const BETWEEN = 36; // pixels between two layers, where the counts stand
const EDGE = 10;
const WIDEST = 190;
const NARROWEST = 92;
const MOST_NODES = 120;
const NAMESPACE = "http://www.w3.org/2000/svg";

/** Nodes and links of edges: [source kind, source, target kind, target, count, errors, latency ms, cost, index]. */
export function network(edges, root) {
  const nodes = new Map();
  const place = (kind, name, index) => {
    const key = `${kind}\n${name}`;
    if (!nodes.has(key) && nodes.size < MOST_NODES)
      nodes.set(key, { key, kind, name, index, count: 0, errors: 0, latency: null, cost: null, layer: -1 });
    return nodes.get(key);
  };
  place(root.kind, root.name, root.index);
  const links = [];
  let hidden = 0;
  for (const [fromKind, fromName, kind, name, times, errors, latency, cost, index] of edges) {
    const from = place(fromKind, fromName, index),
      to = place(kind, name, index);
    if (!from || !to) {
      hidden++;
      continue;
    }
    links.push({ from, to, count: times, errors });
    to.count += times;
    to.errors += errors;
    if (latency !== null) to.latency = (to.latency ?? 0) + latency;
    if (cost !== null) to.cost = (to.cost ?? 0) + cost;
  }
  layers([...nodes.values()], links);
  return { nodes: [...nodes.values()], links, hidden };
}

/** The layer of each node: one after the last that calls it. Calls that lead back do not count. */
function layers(nodes, links) {
  const onward = new Map(nodes.map((node) => [node, []])),
    open = new Set(),
    done = new Set();
  const walk = (node) => {
    open.add(node);
    for (const link of links)
      if (link.from === node && !open.has(link.to)) {
        onward.get(node).push(link.to);
        if (!done.has(link.to)) walk(link.to);
      }
    open.delete(node);
    done.add(node);
  };
  for (const node of nodes) if (!done.has(node)) walk(node);
  for (const node of nodes) node.layer = 0;
  for (let moved = true; moved;) {
    moved = false;
    for (const [node, targets] of onward)
      for (const to of targets)
        if (to.layer <= node.layer) {
          to.layer = node.layer + 1;
          moved = true;
        }
  }
}

/** Give the nodes their places in a width; returns the size of the whole. */
export function arranged(nodes, width) {
  const columns = [];
  for (const node of nodes) (columns[node.layer] ??= []).push(node);
  const filled = columns.filter(Boolean),
    room = (width - 2 * EDGE - BETWEEN * (filled.length - 1)) / filled.length;
  const size = Math.round(Math.min(WIDEST, Math.max(NARROWEST, room)));
  const tallest = Math.max(...filled.map((column) => column.length));
  const height = tallest * (NODE_HEIGHT + NODE_GAP) + NODE_GAP;
  filled.forEach((column, at) => {
    const top = (height - column.length * (NODE_HEIGHT + NODE_GAP) + NODE_GAP) / 2;
    column.forEach((node, row) => {
      node.x = EDGE + at * (size + BETWEEN);
      node.y = top + row * (NODE_HEIGHT + NODE_GAP);
      node.width = size;
    });
  });
  return { width: 2 * EDGE + filled.length * size + (filled.length - 1) * BETWEEN, height };
}

/** The curve of a link, as its four points: from side to side, and back from above to above. */
export function curve({ from, to }) {
  const middle = NODE_HEIGHT / 2;
  if (to.x > from.x) {
    const [x, y, toX, toY] = [from.x + from.width, from.y + middle, to.x, to.y + middle],
      half = (toX - x) / 2;
    return [x, y, x + half, y, toX - half, toY, toX, toY];
  }
  const [x, y, toX, toY] = [from.x + from.width * 0.7, from.y, to.x + to.width * 0.3, to.y];
  return [x, y, x, y - 16, toX, toY - 16, toX, toY];
}

/** The point of a curve at a share of its way. */
function pointOf([x, y, x1, y1, x2, y2, toX, toY], at) {
  const rest = 1 - at,
    mix = (a, b, c, d) => rest ** 3 * a + 3 * rest ** 2 * at * b + 3 * rest * at ** 2 * c + at ** 3 * d;
  return { x: mix(x, x1, x2, toX), y: mix(y, y1, y2, toY) };
}

/** The node beside another one: in the same layer, or the nearest of the layer before or after it. */
export function beside(nodes, node, dx, dy) {
  if (dy) {
    const column = nodes.filter((one) => one.layer === node.layer);
    return column[column.indexOf(node) + dy] ?? node;
  }
  const column = nodes.filter((one) => one.layer === node.layer + dx);
  const far = (one) => Math.abs(one.y - node.y);
  return column.reduce((best, one) => (best && far(best) <= far(one) ? best : one), undefined) ?? node;
}

function svg(tag, attributes = {}, ...children) {
  const el = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  el.append(...children);
  return el;
}

/** As many characters of a text as a width has room for, each so many pixels wide. */
const cut = (words, pixels, size) => {
  const most = Math.max(3, Math.floor(pixels / size));
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
};

export class Graph {
  /** `host`: {view, onNode(index)} */
  constructor(host) {
    this.host = host;
    this.el = h("div.lm-graph", {
      role: "listbox",
      tabindex: 0,
      "aria-label": "who called whom",
      hidden: true,
      onclick: (event) => this.clicked(event),
    });
    this.sizes = new ResizeObserver(() => {
      if (this.nodes && this.el.clientWidth && this.el.clientWidth !== this.width) this.draw();
    });
    this.sizes.observe(this.el);
  }

  get isOpen() {
    return !this.el.hidden;
  }
  get hasFocus() {
    return document.activeElement === this.el;
  }

  set(edges, root) {
    Object.assign(this, network(edges, root));
    this.cursor = this.nodes[0];
    this.draw();
  }

  draw() {
    this.width = this.el.clientWidth || 360;
    const size = arranged(this.nodes, this.width - 4);
    const el = svg("svg", { ...size, viewBox: `0 0 ${size.width} ${size.height}`, "aria-hidden": "false" });
    el.append(...this.links.map((link) => this.link(link)), ...this.nodes.map((node, i) => this.node(node, i)));
    const note = this.hidden ? h("p.lm-note", {}, `${plural(this.hidden, "more edge")}: trace.graph() has all`) : null;
    this.el.replaceChildren(el, ...(note ? [note] : []));
    this.point();
  }

  link(link) {
    const { from, to } = link,
      points = curve(link),
      // in the gap before where it leads, whatever it passes on its way
      at = pointOf(points, 1 - 0.36 / Math.max(1, to.layer - from.layer) ** 1.3),
      failed = link.errors ? ` ✗${count(link.errors)}` : "";
    const said = link.count > 1 || failed ? [`${count(link.count)}×${failed}`] : []; // once is what a line says
    const [x, y, ...rest] = points;
    return svg(
      "g",
      { class: link.errors ? "lm-link lm-failed" : "lm-link" },
      svg("path", { d: `M${x} ${y}C${rest.join(" ")}` }),
      ...said.map((words) => svg("text", { x: at.x, y: at.y - 3, "text-anchor": "middle" }, words)),
    );
  }

  node(node, index) {
    const said = [
      `${node.kind} ${node.name}`,
      node.count ? plural(node.count, "call") : "begins here",
      node.errors ? plural(node.errors, "error") : "",
      duration(node.latency),
      dollars(node.cost),
    ].filter(Boolean);
    const box = { x: node.x, y: node.y, width: node.width, height: NODE_HEIGHT, rx: 4 };
    const facts = [node.count ? `${count(node.count)}×` : node.kind, duration(node.latency), dollars(node.cost)];
    const words = [node.errors ? `✗${count(node.errors)}` : "", ...facts].filter(Boolean).join(" · "),
      room = node.width - 16;
    return svg(
      "g",
      {
        class: `lm-node${node.errors ? " lm-node-failed" : ""}`,
        id: `${this.host.view}-n${index}`,
        role: "option",
        "data-node": index,
        "data-kind": node.kind,
        "aria-label": said.join(", "),
      },
      svg("title", {}, said.join("\n")),
      svg("rect", box),
      svg("rect", { ...box, width: 4, rx: 2, class: "lm-node-kind" }),
      svg("text", { x: node.x + 11, y: node.y + 15, class: "lm-node-name" }, cut(node.name, room, 7.2)),
      svg("text", { x: node.x + 11, y: node.y + 29, class: "lm-node-facts" }, cut(words, room, 6)),
    );
  }

  /** Show which node the keys mean. */
  point() {
    const at = this.nodes.indexOf(this.cursor);
    for (const el of this.el.querySelectorAll(".lm-node")) {
      const isCursor = Number(el.dataset.node) === at;
      el.classList.toggle("lm-cursor", isCursor);
      el.setAttribute("aria-selected", isCursor);
      if (isCursor) el.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    }
    this.el.setAttribute("aria-activedescendant", `${this.host.view}-n${at}`);
  }

  move(dx, dy) {
    this.cursor = beside(this.nodes, this.cursor, dx, dy);
    this.point();
  }

  enter() {
    this.host.onNode(this.cursor.index);
  }

  clicked(event) {
    const el = event.target.closest("[data-node]");
    if (!el) return;
    this.cursor = this.nodes[Number(el.dataset.node)];
    this.point();
    this.enter();
  }

  close() {
    this.sizes.disconnect();
  }
}
