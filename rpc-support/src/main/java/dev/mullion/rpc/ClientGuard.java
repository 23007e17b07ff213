package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.protobuf.MessageLite;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.KnownLength;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Gives each call its deadline when it starts, and refuses messages that are too long. */
final class ClientGuard implements ClientInterceptor {
  private final MethodTimeouts timeouts;
  private final boolean waitForReady;
  private final @Nullable String compression;
  private final MessageLimits limits;
  final ConnectFailures failures;
  private volatile long defaultTimeout;

  ClientGuard(
      Duration defaultTimeout,
      MethodTimeouts timeouts,
      boolean waitForReady,
      @Nullable String compression,
      MessageLimits limits,
      ConnectFailures failures) {
    this.timeouts = timeouts;
    this.waitForReady = waitForReady;
    this.compression = compression;
    this.limits = limits;
    this.failures = failures;
    this.defaultTimeout = Check.nanos(defaultTimeout);
  }

  void timeout(String name, Duration timeout) {
    timeouts.put(name, timeout);
  }

  void defaultTimeout(Duration timeout) {
    defaultTimeout = Check.nanos(timeout);
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return new Guarded<>(method, next.newCall(method, withDefaults(method, options)));
  }

  private CallOptions withDefaults(MethodDescriptor<?, ?> method, CallOptions given) {
    CallOptions options = waitForReady ? given.withWaitForReady() : given;
    if (compression != null && options.getCompressor() == null) {
      options = options.withCompression(compression);
    }
    Duration own = timeouts.find(method);
    long timeout = own == null ? defaultTimeout : Check.nanos(own);
    return timeout == 0 || options.getDeadline() != null
        ? options
        : options.withDeadlineAfter(timeout, NANOSECONDS);
  }

  private final class Guarded<Q, R> extends SimpleForwardingClientCall<Q, R> {
    private final MethodDescriptor<Q, R> method;
    private volatile @Nullable Status refused;

    Guarded(MethodDescriptor<Q, R> method, ClientCall<Q, R> call) {
      super(call);
      this.method = method;
    }

    @Override
    public void start(Listener<R> listener, Metadata headers) {
      super.start(
          new SimpleForwardingClientCallListener<>(listener) {
            @Override
            public void onClose(Status status, Metadata trailers) {
              Status own = refused;
              super.onClose(
                  own == null
                      ? Keepalive.explained(failures.reworded(limits.reworded(status)))
                      : own,
                  trailers);
            }
          },
          headers);
    }

    @Override
    public void sendMessage(Q message) {
      if (refused != null) {
        return;
      }
      Status tooLarge = limits.outbound(size(message));
      if (tooLarge == null) {
        super.sendMessage(message);
      } else {
        refused = tooLarge;
        cancel(tooLarge.getDescription(), null);
      }
    }

    @Override
    public void halfClose() {
      if (refused == null) {
        super.halfClose();
      }
    }

    private long size(Q message) {
      if (message instanceof MessageLite known) {
        return known.getSerializedSize();
      }
      try (InputStream bytes = method.streamRequest(message)) {
        return bytes instanceof KnownLength
            ? bytes.available()
            : bytes.transferTo(OutputStream.nullOutputStream());
      } catch (IOException e) {
        throw Status.INTERNAL
            .withDescription("outbound message cannot be read")
            .withCause(e)
            .asRuntimeException();
      }
    }
  }
}
