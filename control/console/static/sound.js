/* Microphone and loudspeaker of the browser, on one audio context: the rate of a call is that of the context. */

const MAX_RATE = 48000;

/** Opened by a click, as browsers want it. `heard(pcm)` gets 20 ms each, `played(report)` how playout goes. */
export class Sound {
  static async open({ heard, played }) {
    const microphone = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
    try {
      const context = await startContext();
      return new Sound(context, microphone, heard, played);
    } catch (error) {
      release(microphone);
      throw error;
    }
  }

  constructor(context, microphone, heard, played) {
    Object.assign(this, { context, microphone, played });
    this.source = context.createMediaStreamSource(microphone);
    this.capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    this.capture.port.onmessage = ({ data }) => heard(new Int16Array(data));
    this.playout = new AudioWorkletNode(context, "playout", { numberOfInputs: 0, outputChannelCount: [1] });
    this.playout.port.onmessage = ({ data }) => this.report(data);
    this.voice = context.createAnalyser();
    this.ear = context.createAnalyser();
    this.source.connect(this.capture);
    this.source.connect(this.ear);
    this.playout.connect(this.voice).connect(context.destination);
  }

  get sampleRate() {
    return this.context.sampleRate;
  }

  /** Play agent audio of a turn behind what waits. */
  play(turn, pcm) {
    this.playout.port.postMessage({ do: "push", turn, pcm: pcm.buffer }, [pcm.buffer]);
  }

  /** Obey `pause`, `resume` or `clear`; the first and last are answered by a report. */
  obey(what) {
    this.playout.port.postMessage({ do: what });
  }

  report({ turn, ms, stopped }) {
    const onTheWay = 1000 * (this.context.outputLatency || 0); // left the worklet, not yet the loudspeaker
    this.played({ turn, ms: Math.max(0, ms - onTheWay), stopped });
  }

  /** Return the levels of caller and agent now, in dB below full scale: -90 to 0. */
  levels() {
    return { caller: level(this.ear), agent: level(this.voice) };
  }

  async close() {
    release(this.microphone);
    await this.context.close();
  }
}

async function startContext() {
  let context = new AudioContext();
  if (context.sampleRate > MAX_RATE) {
    await context.close();
    context = new AudioContext({ sampleRate: MAX_RATE });
  }
  await context.resume();
  for (const name of ["capture", "playout"]) await context.audioWorklet.addModule(new URL(`${name}-worklet.js`, import.meta.url));
  return context;
}

function release(microphone) {
  for (const track of microphone.getTracks()) track.stop();
}

function level(analyser) {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  return Math.max(-90, Math.min(0, 10 * Math.log10(power + 1e-9)));
}
