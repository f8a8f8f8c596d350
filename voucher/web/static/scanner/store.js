/* Keeps what lies on the counter in the browser: after a reload, Back, a sign-in or a crash it is there. Tabs share it: a change reads
   what is stored and writes what it becomes in one transaction, then the others are told. */
"use strict";

globalThis.Pass ??= {};

Pass.Store = class {
  static NAME = "pass-comptoir";
  static SHELF = "kept";
  static KEY = "desk";

  #database;
  #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(Pass.Store.NAME) : null;
  #kept;

  /* `empty`: what lies there at first. `heard`: called with what another tab says. */
  constructor(empty, heard) {
    this.#kept = empty;
    this.isKept = true;
    if (this.#channel) this.#channel.onmessage = ({ data }) => heard(data);
    this.#database = this.#open();
    this.#database.catch(() => {});
  }

  #open() {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(Pass.Store.NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(Pass.Store.SHELF);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error("blocked"));
    });
  }

  /* Change what lies there, durably; return what lies there now. Where the browser keeps nothing, it lies in this page alone. */
  async change(step) {
    await this.#keep(step);
    if (this.isKept) this.tell({ kind: "changed" });
    return this.#kept;
  }

  /* Return what lies there now: another tab may have changed it. */
  async look() {
    await this.#keep((kept) => kept);
    return this.#kept;
  }

  async #keep(step) {
    try {
      this.#kept = await this.#write(step);
      this.isKept = true;
    } catch {
      this.isKept = false;
      this.#kept = step(this.#kept);
    }
  }

  async #write(step) {
    const database = await this.#database;
    return new Promise((resolve, reject) => {
      let kept = this.#kept;
      const transaction = database.transaction(Pass.Store.SHELF, "readwrite", { durability: "strict" });
      const shelf = transaction.objectStore(Pass.Store.SHELF);
      const read = shelf.get(Pass.Store.KEY);
      read.onsuccess = () => {
        /* What could not be written before is ahead of what is stored. */
        kept = step(this.isKept ? (read.result ?? kept) : kept);
        shelf.put(kept, Pass.Store.KEY);
      };
      transaction.oncomplete = () => resolve(kept);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  tell(message) {
    this.#channel?.postMessage(message);
  }

  /* One tab at a time sends, where the browser can say so; the server answers two sendings of one id alike in any case. */
  alone(work) {
    return navigator.locks ? navigator.locks.request(Pass.Store.NAME, work) : work();
  }
};
