// The page: it asks for the stock when it is connected, shows every change that
// is pushed, and orders.
import { Client } from "./push/client.js";

const shelf = document.querySelector("#shelf");
const orders = document.querySelector("#orders");
const line = document.querySelector("#line");

// The address is asked for anew at each connection: a token would be fresh.
const client = new Client(async () => (await fetch("api.json", { cache: "no-store" })).json());

const words = { connecting: "connecting", open: "live", waiting: "offline, trying again", closed: "closed" };
client.addEventListener("state", ({ detail }) => {
  line.textContent = words[detail.state];
  line.dataset.state = detail.state;
});

// While there was no connection, changes were missed and answers may be lost. An
// order may be sent twice: its id counts once.
client.addEventListener("open", ({ detail }) => {
  if (detail.renewed) return;
  client.send(JSON.stringify({ action: "stock" }));
  for (const order of waiting.values()) order.send();
});

client.addEventListener("message", ({ data }) => {
  const message = JSON.parse(data);
  if (message.type === "stock") message.items.forEach(show);
  if (message.type === "order") waiting.get(message.id)?.settle(message.outcome);
});

// The shelf.

const shown = new Map(); // by SKU: the item, and where it is on the page

function show(item) {
  const known = shown.get(item.sku);
  // The same change may come twice, and an older one after a newer one.
  if (known && known.item.version >= item.version) return;
  const place = known?.place ?? newPlace(item);
  shown.set(item.sku, { item, place });
  place.querySelector("h2").textContent = item.name;
  place.querySelector(".price").textContent = (item.cents / 100).toLocaleString("en", { style: "currency", currency: "EUR" });
  place.querySelector(".left").textContent = item.left > 0 ? `${item.left} left` : "sold out";
  place.classList.toggle("few", item.left > 0 && item.left <= 3);
  place.classList.toggle("gone", item.left === 0);
  const button = place.querySelector("button");
  button.disabled = item.left === 0;
  button.setAttribute("aria-label", `Order: ${item.name}`);
  if (known) flash(place);
}

function newPlace({ sku, name }) {
  const place = document.querySelector("#item").content.firstElementChild.cloneNode(true);
  place.dataset.sku = sku;
  place.querySelector(".picture").innerHTML = pictures[sku] ?? pictures.box;
  place.querySelector("button").addEventListener("click", () => new Order(shown.get(sku).item));
  const after = [...shelf.children].find((other) => other.querySelector("h2").textContent > name);
  shelf.insertBefore(place, after ?? null);
  return place;
}

function flash(place) {
  place.classList.remove("changed");
  void place.offsetWidth; // so that the animation begins anew
  place.classList.add("changed");
}

// The orders.

const waiting = new Map(); // by id: orders without an answer

class Order {
  static patience = 5000; // milliseconds until an order without an answer is sent again
  static attempts = 4;

  constructor({ sku, name }) {
    this.id = crypto.randomUUID();
    this.text = JSON.stringify({ action: "order", id: this.id, sku, quantity: 1 });
    this.attempts = 0;
    this.place = document.createElement("li");
    this.place.append(name, document.createElement("b"));
    this.tell("sending", "");
    orders.prepend(this.place);
    waiting.set(this.id, this);
    if (client.state === "open") this.send(); // and else when it is open
  }

  send() {
    clearTimeout(this.timer);
    if (this.attempts++ === Order.attempts) return this.settle("no answer");
    client.send(this.text);
    this.timer = setTimeout(() => client.state === "open" && this.send(), Order.patience);
  }

  settle(outcome) {
    clearTimeout(this.timer);
    waiting.delete(this.id);
    this.tell(outcome, outcome === "placed" ? "placed" : "refused");
  }

  tell(text, kind) {
    this.place.querySelector("b").textContent = text;
    this.place.className = kind;
  }
}

const svg = (paths) => `<svg viewBox="0 0 48 48">${paths}</svg>`;
const pictures = {
  box: svg('<path d="M6 15l18-9 18 9v19l-18 9-18-9zM6 15l18 9 18-9M24 24v19"/>'),
  kettle: svg('<path d="M13 20h20l4 20H9zM33 24l9-8M17 20c0-12 12-12 12 0M23 11V8"/>'),
  lamp: svg('<path d="M14 42h20M24 42V26M12 26l6-16h12l6 16zM31 26v7"/>'),
  mug: svg('<path d="M10 16h24v18a6 6 0 0 1-6 6H16a6 6 0 0 1-6-6zM34 20h3a5 5 0 0 1 0 12h-3M17 10c0-3 3-3 3-6M25 10c0-3 3-3 3-6"/>'),
  print: svg('<path d="M8 6h32v36H8zM13 11h22v26H13zM13 32l7-9 6 7 4-4 5 6M29 18h.1"/>'),
};
