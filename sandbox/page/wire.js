// The way to the sandbox: what happens comes in, what one does goes out; and whether anybody is there.
export const LOST = "Not sent: the sandbox does not answer. What you typed is still here.";

export class Wire {
  // receive: for every event; changed: told true when the sandbox is back, false when it is gone
  constructor(receive, changed) {
    Object.assign(this, { receive, changed });
    this.events = this.user = null; // the stream, and whose eyes it is before
    this.isOpen = true;
  }

  listen(user) {
    this.events?.close();
    this.user = user;
    this.events = new EventSource(`/page-api/events?user=${user}`);
    this.events.onmessage = (event) => this.receive(JSON.parse(event.data));
    // Always, the first time too: something may have happened between the state that was read and this stream.
    this.events.onopen = () => { this.isOpen = true; this.changed(true); };
    this.events.onerror = () => {
      this.set(false);
      // A browser gives up a stream that was answered with an error, as by a sandbox that knows nobody of this name.
      if (this.events.readyState === EventSource.CLOSED) setTimeout(() => this.changed(true), 1000);
    };
  }

  set(isOpen) {
    if (this.isOpen === isOpen) return;
    this.isOpen = isOpen;
    this.changed(isOpen);
  }

  // The state for a person; without one, or for one whom a new sandbox does not know, for its first.
  async state(user) {
    const answer = await fetch("/page-api/state" + (user ? `?user=${user}` : ""));
    return answer.ok || !user ? answer.json() : this.state(null);
  }

  async act(action) {
    try {
      const answer = await fetch("/page-api/act", { method: "POST", body: JSON.stringify(action) });
      this.set(true);
      return answer.ok ? await answer.json() : { error: `The sandbox could not do that (${answer.status}).` };
    } catch {
      this.set(false);
      return { error: LOST };
    }
  }
}
