package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Context;

/**
 * Notifies a call that its server is stopping, so that a long stream can send a last message and
 * end before it is cancelled. {@link RpcServer#stop} gives the signal after the {@code
 * shutdownDelay}. A {@link StreamWriter} gives the same notice; use this class for calls without
 * one.
 *
 * <pre>{@code
 * StopSignal.current().onGiven(ticks::cancel);
 * }</pre>
 *
 * <p>Any thread may call any method.
 */
public final class StopSignal {
  private final OpenCall call;

  private StopSignal(OpenCall call) {
    this.call = call;
  }

  /**
   * Returns the signal for the call that the current thread runs.
   *
   * @throws IllegalStateException if this thread runs no call of an {@link RpcServer}
   */
  public static StopSignal current() {
    OpenCall call = OpenCall.currentOrNull();
    if (call == null) {
      throw new IllegalStateException(
          "no call of an RpcServer on this thread (expected: the Context of such a call)");
    }
    return new StopSignal(call);
  }

  /** Returns whether the server is stopping. */
  public boolean isGiven() {
    return call.isStopping();
  }

  /**
   * Adds a callback that runs once when the server stops, unless the call has ended before. It runs
   * at once if the server is already stopping. It runs on a callback thread of the server, never on
   * an event loop or on the thread that stops the server, also with {@code directExecutor}. Its
   * exceptions are logged. Each callback is kept until the call ends, so add one for each call and
   * not for each message.
   */
  public void onGiven(Runnable callback) {
    call.whenStopping(Context.current().wrap(requireNonNull(callback, "callback")));
  }
}
