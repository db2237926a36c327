/** A Hailo neural processing unit, as the tasks see it: networks of fixed shapes, one frame in, one frame out. */

export interface HailoOptions {
  /** Path of libhailort, or `auto`. */
  readonly library: string;
  /** Where the bridge to a Hailo-10H may lie, in this order; the first that is there is used, and none where there is none. */
  readonly bridges: readonly string[];
  /** Networks of this process under one group share one virtual device. */
  readonly groupId: string;
  /** Hailo-8 only: share the device with other processes through `hailort_service`. */
  readonly multiProcessService: boolean;
  /** Longest wait for the device to take or give one frame. */
  readonly timeoutMs: number;
}

/** What the host writes or reads; the library turns float32 into the numbers of the network and back. */
export type HailoFormat = 'float32' | 'uint8';

export interface HailoDevice {
  /**
   * Configures the first network group of a HEF (by name, if it has several) and opens its streams, which stay open. Throws `unsupported_model` for a file that is no
   * HEF or was compiled for another chip (told before the device sees it), and `not_runnable` for what the device refuses.
   */
  open(
    hefPath: string,
    formats: { readonly input: HailoFormat; readonly output: HailoFormat },
  ): Promise<HailoNetwork>;
  /** Closes its networks, then gives the device back. The last of those that share it releases it. */
  close(): Promise<void>;
}

/** Rows, columns and channels; without padding, channels last. */
export interface HailoShape {
  readonly height: number;
  readonly width: number;
  readonly features: number;
}

export interface HailoStream {
  readonly name: string;
  readonly shape: HailoShape;
}

/** A frame [height × width × features], row-major. */
export type HailoFrame = Float32Array | Uint8Array;

export interface HailoNetwork {
  /** Of the network group. */
  readonly name: string;
  readonly inputs: readonly HailoStream[];
  /** In the order that the HEF sorts them. */
  readonly outputs: readonly HailoStream[];
  /**
   * Writes one frame to every input and reads one of every output, each in the order above. Calls are answered one after another; none
   * blocks the thread. Throws `timeout` when the device gives nothing in time and `model_failed` for what else the library says.
   */
  run(inputs: readonly HailoFrame[], signal?: AbortSignal): Promise<HailoFrame[]>;
  close(): Promise<void>;
}
