package dev.mullion.rpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/**
 * A call that can also be ended in its service's place: by a timer, by the transport, by a limit. What
 * its service does then goes nowhere. gRPC's own call may be used by one thread at a time; hence the
 * lock.
 */
final class GuardedCall<Q, R> extends SimpleForwardingServerCall<Q, R> {
  private final MessageLimits limits;
  private final ExceptionMapping mapping;

  private boolean closed;
  private volatile @Nullable Status ended;
  private volatile Runnable whenEnded = () -> {};

  GuardedCall(ServerCall<Q, R> call, MessageLimits limits, ExceptionMapping mapping) {
    super(call);
    this.limits = limits;
    this.mapping = mapping;
  }

  /**
   * Sets what is told when it has been ended in its service's place: at once, though the client may
   * have to read before it knows. It runs without the lock, since services hang on it.
   */
  void whenEnded(Runnable told) {
    whenEnded = told;
  }

  /** Returns the status with which it was ended in its service's place. */
  @Nullable
  Status ended() {
    return ended;
  }

  @Override
  public synchronized void sendHeaders(Metadata headers) {
    if (ended == null) {
      super.sendHeaders(headers);
    }
  }

  @Override
  public void sendMessage(R message) {
    if (ended == null) {
      try {
        send(message);
      } catch (StatusRuntimeException refused) {
        end(refused.getStatus(), new Metadata());
      }
    }
    Status status = ended;
    if (status != null && !getMethodDescriptor().getType().serverSendsOneMessage()) {
      // So that a loop that writes comes to its end.
      throw status.asRuntimeException();
    }
  }

  private synchronized void send(R message) {
    if (ended == null) {
      super.sendMessage(checked(message));
    }
  }

  @SuppressWarnings("unchecked")
  private R checked(R message) {
    return message instanceof InputStream stream ? (R) limits.checkOutbound(stream) : message;
  }

  @Override
  public void close(Status status, Metadata trailers) {
    Throwable cause = status.getCause();
    if (ended == null && cause != null && isUnmapped(status, cause)) {
      ExceptionMapping.Outcome outcome = mapping.outcome(cause, toString());
      closeUnlessEnded(outcome.status(), outcome.trailers());
    } else {
      closeUnlessEnded(status, trailers);
    }
  }

  private synchronized void closeUnlessEnded(Status status, Metadata trailers) {
    if (ended == null) {
      closed = true;
      super.close(status, trailers);
    }
  }

  /** Returns whether gRPC made it of an exception of the service's own, given to onError. */
  private static boolean isUnmapped(Status status, Throwable cause) {
    return status.getCode() == Status.Code.UNKNOWN
        && status.getDescription() == null
        && !(cause instanceof StatusRuntimeException)
        && !(cause instanceof StatusException);
  }

  /** Ends the call, unless it has ended; returns whether this was what ended it. */
  boolean end(Status status, Metadata trailers) {
    synchronized (this) {
      if (closed || super.isCancelled()) {
        return false;
      }
      closed = true;
      ended = status;
      super.close(status, trailers);
    }
    whenEnded.run();
    return true;
  }

  /** Ends the call with what its service has thrown. */
  void fail(Throwable thrown) {
    if (isOpen()) {
      ExceptionMapping.Outcome outcome = mapping.outcome(thrown, toString());
      end(limits.reworded(outcome.status()), outcome.trailers());
    }
  }

  private synchronized boolean isOpen() {
    return !closed && !super.isCancelled();
  }

  /**
   * Called by the transport when it has given up the stream, just before it resets it: the client is
   * told why, and does not see {@code CANCELLED}.
   */
  void transportFailed(Status status) {
    if (status.getCode() == Status.Code.RESOURCE_EXHAUSTED) {
      end(limits.reworded(status), new Metadata());
    }
  }

  @Override
  public boolean isReady() {
    return ended == null && super.isReady();
  }

  @Override
  public boolean isCancelled() {
    return ended != null || super.isCancelled();
  }

  /** Names the method and the peer. */
  @Override
  public String toString() {
    return getMethodDescriptor().getFullMethodName()
        + " (peer "
        + getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR)
        + ")";
  }
}
