/* In the audio thread: what the microphone hears, as 16-bit samples, 20 ms at a time. */

registerProcessor(
  "capture",
  class extends AudioWorkletProcessor {
    constructor() {
      super();
      this.samples = new Int16Array(Math.round(sampleRate / 50));
      this.filled = 0;
    }

    process([[channel]]) {
      for (const value of channel ?? []) {
        this.samples[this.filled++] = Math.max(-1, Math.min(1, value)) * 32767;
        if (this.filled === this.samples.length) this.send();
      }
      return true;
    }

    send() {
      const full = this.samples;
      this.samples = new Int16Array(full.length);
      this.filled = 0;
      this.port.postMessage(full.buffer, [full.buffer]);
    }
  },
);
