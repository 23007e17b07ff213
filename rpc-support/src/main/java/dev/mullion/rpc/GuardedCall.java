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
 * A call that can also be ended in its service's place: by a timer, by the transport, by a limit.
 * What its service does then goes nowhere. gRPC's own call may be used by one thread at a time: who
 * ends it while its service is inside leaves the last word to the service's thread. No lock is held
 * there, since in the same process the peer may be called on the spot.
 */
final class GuardedCall<Q, R> extends SimpleForwardingServerCall<Q, R> {
  private enum Event {
    CLOSED_BY_GRPC
  }

  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(GuardedCall.class.getName()), Event.class);

  /** How long an event loop waits for a service's thread that is about to leave. */
  private static final long FOR_SERVICE = MILLISECONDS.toNanos(500);

  /** That of gRPC, for services that set no other. */
  private static final int READY_THRESHOLD = 32 * 1024;

  private final MessageLimits limits;
  private final ExceptionMapping mapping;
  private final @Nullable PeerStream peer;
  private final Runnable whenEnded;

  private boolean closed;

  /** How often its service is inside gRPC's call, where it may be called again. */
  private int inside;

  private boolean cut;
  private @Nullable Thread service;

  /** What to do when it has left. */
  private @Nullable Runnable afterwards;

  private volatile @Nullable Status ended;

  /**
   * Puts a guard around a call.
   *
   * @param peer where its messages wait for the peer; null in one process
   * @param whenEnded what is told when it has been ended, by its service or in its place: at once,
   *     though the client may have to read before it knows
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

  /** Returns the status with which it was ended in its service's place. */
  @Nullable
  Status ended() {
    return ended;
  }

  /** A call is behind before it can reach the server's bound by itself. */
  @Override
  public void setOnReadyThreshold(int bytes) {
    super.setOnReadyThreshold(peer == null ? bytes : Math.min(bytes, peer.room()));
  }

  /** Returns whether its service has ended it, well or not, and nobody did so in its place. */
  synchronized boolean isEndedByService() {
    return closed && ended == null;
  }

  @Override
  public void sendHeaders(Metadata headers) {
    long size = LastWord.size(headers) + LastWord.OF_GRPC;
    if (size > mostMetadata()) {
      end(
          Status.RESOURCE_EXHAUSTED.withDescription("outbound metadata of " + size
              + " bytes exceeds the " + mostMetadata() + " that the client takes"),
          new Metadata());
    } else if (enter(false)) {
      try {
        super.sendHeaders(headers);
      } finally {
        leave();
      }
    }
  }

  /** Returns whether the service may go on, which then has to leave. */
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
        // That of a marshaller, for instance, which its service may not pass on.
        fail(thrown);
        if (ended == null) {
          throw thrown;
        }
      }
    }
    Status status = ended;
    if (status != null && !getMethodDescriptor().getType().serverSendsOneMessage()) {
      // So that a loop that writes comes to its end.
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

  /** Returns whether the server may hold it until the peer takes it. */
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
        // Who writes on another thread would wait for the peer.
        whenEnded.run();
      }
    }
  }

  private void closeWith(Status status, Metadata trailers) {
    LastWord last = LastWord.fitted(status, trailers, mostMetadata(), this);
    super.close(last.status(), last.trailers());
  }

  /** After an Error in the midst of a message gRPC has closed the call by itself. */
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

  /** Returns whether gRPC made it of an exception of the service's own, given to onError. */
  private static boolean isUnmapped(Status status, Throwable cause) {
    return status.getCode() == Status.Code.UNKNOWN
        && status.getDescription() == null
        && !(cause instanceof StatusRuntimeException)
        && !(cause instanceof StatusException);
  }

  /** Ends the call, unless it has ended; returns whether this was what ended it. */
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
   * Ends the call though its service may have done so, if the transport has not; and then has the
   * transport end it, behind that.
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

  /** Ends the call with what its service has thrown. */
  void fail(Throwable thrown) {
    if (isOpen()) {
      ExceptionMapping.Outcome outcome = mapping.outcome(thrown, toString());
      end(limits.reworded(outcome.status()), outcome.trailers());
    }
  }

  /** Returns whether its service has ended it, or the server in its place. */
  synchronized boolean isClosed() {
    return closed;
  }

  private synchronized boolean isOpen() {
    return !closed && !super.isCancelled();
  }

  /**
   * Called by the transport when it has given up the stream, just before it resets it: the client
   * is told why, and does not see {@code CANCELLED}.
   */
  void transportFailed(Status status) {
    Status reworded = limits.reworded(status);
    if (MessageLimits.isOfMessage(reworded)) {
      awaitService();
      end(reworded, new Metadata());
    }
  }

  /** What is left to a service's thread would come too late, behind the reset. It soon leaves. */
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

  /** Names the method and the peer. */
  @Override
  public String toString() {
    return getMethodDescriptor().getFullMethodName()
        + " (peer "
        + getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR)
        + ")";
  }
}
