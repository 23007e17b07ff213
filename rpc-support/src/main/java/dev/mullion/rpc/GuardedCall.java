package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.BoundedLog;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/**
 * A call that a timer, the transport or a limit can end on behalf of its service. Later actions of
 * the service have no effect. gRPC's own call may be used by one thread at a time. So if the call
 * is ended while its service is inside, the service's thread closes it. No lock is held there,
 * since an in-process peer may be called directly.
 */
final class GuardedCall<Q, R> extends SimpleForwardingServerCall<Q, R> {
  private enum Event {
    CLOSED_BY_GRPC
  }

  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(GuardedCall.class.getName()), Event.class);

  /** How long an event loop waits for the service's thread to leave gRPC's call. */
  private static final long FOR_SERVICE = MILLISECONDS.toNanos(500);

  /** The default of gRPC, for services that set no other. */
  private static final int READY_THRESHOLD = 32 * 1024;

  private final MessageLimits limits;
  private final ExceptionMapping mapping;
  private final @Nullable PeerStream peer;
  private final Runnable whenEnded;

  private boolean closed;

  /** How deeply the service is inside gRPC's call, which is reentrant. */
  private int inside;

  private boolean cut;
  private @Nullable Thread service;

  /** The task to run once the service has left. */
  private @Nullable Runnable afterwards;

  private volatile @Nullable Status ended;

  /**
   * Creates a guard around a call.
   *
   * @param peer holds the messages that are pending for the peer; null in one process
   * @param whenEnded runs as soon as the service or the server has ended the call, even if the
   *     client must read before it notices
   */
  GuardedCall(
      ServerCall<Q, R> call,
      MessageLimits limits,
      ExceptionMapping mapping,
      @Nullable PeerStream peer,
      Runnable whenEnded) {
    super(call);
    this.limits = limits;
    this.mapping = mapping;
    this.peer = peer;
    this.whenEnded = whenEnded;
    if (peer != null && peer.room() < READY_THRESHOLD) {
      super.setOnReadyThreshold(peer.room());
    }
  }

  /** Returns the status with which the server ended the call on behalf of its service. */
  @Nullable
  Status ended() {
    return ended;
  }

  /**
   * Limits the threshold, so that a call is behind before it alone can reach the server's limit.
   */
  @Override
  public void setOnReadyThreshold(int bytes) {
    super.setOnReadyThreshold(peer == null ? bytes : Math.min(bytes, peer.room()));
  }

  /** Returns whether the service itself ended the call, with whatever status. */
  synchronized boolean isEndedByService() {
    return closed && ended == null;
  }

  @Override
  public void sendHeaders(Metadata headers) {
    long size = LastWord.size(headers) + LastWord.OF_GRPC;
    if (size > mostMetadata()) {
      end(
          Status.RESOURCE_EXHAUSTED.withDescription("outbound metadata of " + size
              + " bytes exceeds the client's limit of " + mostMetadata()),
          new Metadata());
    } else if (enter(false)) {
      try {
        super.sendHeaders(headers);
      } finally {
        leave();
      }
    }
  }

  /** Returns whether the service may continue; if so, it must leave afterwards. */
  private synchronized boolean enter(boolean last) {
    if (ended != null) {
      return false;
    }
    closed |= last;
    inside++;
    service = Thread.currentThread();
    return true;
  }

  private void leave() {
    Runnable next = null;
    synchronized (this) {
      if (--inside == 0) {
        next = afterwards;
        afterwards = null;
        notifyAll();
      }
    }
    if (next != null) {
      next.run();
    }
  }

  @Override
  public void sendMessage(R message) {
    if (ended == null) {
      try {
        send(message);
      } catch (Throwable thrown) {
        // Thrown by a marshaller, for instance; the service may not pass it on.
        fail(thrown);
        if (ended == null) {
          throw thrown;
        }
      }
    }
    Status status = ended;
    if (status != null && !getMethodDescriptor().getType().serverSendsOneMessage()) {
      // So that a writing loop ends.
      throw status.asRuntimeException();
    }
  }

  private void send(R message) {
    boolean admitted = true;
    try {
      R checked = checked(message);
      if (enter(false)) {
        try {
          admitted = isAdmitted(checked);
          if (admitted) {
            super.sendMessage(checked);
          }
        } finally {
          leave();
        }
      }
    } catch (IOException e) {
      throw MessageLimits.failed("reply cannot be read", e).asRuntimeException();
    }
    if (!admitted && peer != null) {
      peer.refuse();
    }
  }

  /** Returns whether the server may buffer the message until the peer reads it. */
  private boolean isAdmitted(R message) throws IOException {
    if (peer == null || !(message instanceof InputStream bytes)) {
      return true;
    }
    if (peer.announce(bytes.available())) {
      return true;
    }
    bytes.close();
    return false;
  }

  @SuppressWarnings("unchecked")
  private R checked(R message) throws IOException {
    if (message instanceof UnsentMessage unsent) {
      throw unsent.rethrown();
    }
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

  private void closeUnlessEnded(Status status, Metadata trailers) {
    if (enter(true)) {
      try {
        closeWith(status, trailers);
      } finally {
        leave();
        // A writer on another thread would otherwise wait for the peer.
        whenEnded.run();
      }
    }
  }

  private void closeWith(Status status, Metadata trailers) {
    LastWord last = LastWord.fitted(status, trailers, mostMetadata(), this);
    super.close(last.status(), last.trailers());
  }

  /** After an Error inside a message gRPC has already closed the call. */
  private void closeUnlessClosed(Status status, Metadata trailers) {
    try {
      closeWith(status, trailers);
    } catch (IllegalStateException closedAlready) {
      LOG.log(
          Event.CLOSED_BY_GRPC,
          Level.DEBUG,
          null,
          () -> "call " + this + " was closed by gRPC",
          closedAlready);
    }
  }

  private long mostMetadata() {
    return PeerMetadata.most(getAttributes());
  }

  /** Returns whether gRPC made the status from a service's own exception, passed to onError. */
  private static boolean isUnmapped(Status status, Throwable cause) {
    return status.getCode() == Status.Code.UNKNOWN
        && status.getDescription() == null
        && !(cause instanceof StatusRuntimeException)
        && !(cause instanceof StatusException);
  }

  /** Ends the call unless it has ended; returns whether this ended it. */
  boolean end(Status status, Metadata trailers) {
    Runnable close = () -> closeUnlessClosed(status, trailers);
    synchronized (this) {
      if (closed || super.isCancelled()) {
        return false;
      }
      closed = true;
      ended = status;
      if (inside > 0) {
        afterwards = close;
        close = null;
      }
    }
    if (close != null) {
      close.run();
    }
    whenEnded.run();
    return true;
  }

  /**
   * Ends the call even if its service has done so, unless the transport has. Then it runs {@code
   * onTheWire}, which makes the transport end the call.
   */
  boolean cut(Status status, Runnable onTheWire) {
    Runnable next;
    synchronized (this) {
      if (cut || super.isCancelled()) {
        return false;
      }
      cut = true;
      Runnable before = afterwards;
      boolean first = !closed;
      closed = true;
      if (ended == null) {
        ended = status;
      }
      next = () -> {
        if (first) {
          closeUnlessClosed(status, new Metadata());
        } else if (before != null) {
          before.run();
        }
        onTheWire.run();
      };
      if (inside > 0) {
        afterwards = next;
        next = null;
      }
    }
    if (next != null) {
      next.run();
    }
    whenEnded.run();
    return true;
  }

  /** Ends the call with its service's exception. */
  void fail(Throwable thrown) {
    if (isOpen()) {
      ExceptionMapping.Outcome outcome = mapping.outcome(thrown, toString());
      end(limits.reworded(outcome.status()), outcome.trailers());
    }
  }

  /** Returns whether the service or the server has ended the call. */
  synchronized boolean isClosed() {
    return closed;
  }

  private synchronized boolean isOpen() {
    return !closed && !super.isCancelled();
  }

  /**
   * Called when the transport has given up the stream and is about to reset it, so that the client
   * sees the reason instead of {@code CANCELLED}.
   */
  void transportFailed(Status status) {
    Status reworded = limits.reworded(status);
    if (MessageLimits.isOfMessage(reworded)) {
      awaitService();
      end(reworded, new Metadata());
    }
  }

  /** Waits for the service's thread to leave, since its end would come too late after the reset. */
  private synchronized void awaitService() {
    boolean interrupted = false;
    long begin = System.nanoTime();
    long left = FOR_SERVICE;
    while (inside > 0 && !closed && service != Thread.currentThread() && left > 0) {
      try {
        NANOSECONDS.timedWait(this, left);
      } catch (InterruptedException e) {
        interrupted = true;
      }
      left = FOR_SERVICE - (System.nanoTime() - begin);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
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

  /** Returns the method and the peer. */
  @Override
  public String toString() {
    return getMethodDescriptor().getFullMethodName()
        + " (peer "
        + getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR)
        + ")";
  }
}
