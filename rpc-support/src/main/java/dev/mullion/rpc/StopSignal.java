package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Context;

/**
 * Tells a call that its server is to stop, so that a long stream can end itself with a last message
 * before it is cut. It is given by {@link RpcServer#stop} after the {@code shutdownDelay}. {@link
 * StreamWriter} tells the same; this is for calls that have none.
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
   * Returns the signal for the call that the current thread works for.
   *
   * @throws IllegalStateException if it works for no call of an {@link RpcServer}
   */
  public static StopSignal current() {
    OpenCall call = OpenCall.currentOrNull();
    if (call == null) {
      throw new IllegalStateException(
          "no call of an RpcServer on this thread (expected: the Context of such a call)");
    }
    return new StopSignal(call);
  }

  /** Returns whether the server is to stop. */
  public boolean isGiven() {
    return call.isStopping();
  }

  /**
   * Adds what runs once when the server is to stop, at once if it is, unless the call has ended
   * then. It runs on a thread of the server's own for callbacks, never on an event loop or the
   * thread that stops the server, also with {@code directExecutor}. What it throws is logged. Each
   * one that is added is kept until the call ends, so add one for a call, not one for each message.
   */
  public void onGiven(Runnable callback) {
    call.whenStopping(Context.current().wrap(requireNonNull(callback, "callback")));
  }
}
