package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.Tls;
import dev.mullion.net.base.Check;
import io.grpc.MethodDescriptor;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The settings that an {@link RpcServer} and an {@link RpcChannel} have in common. Not safe for use
 * by several threads.
 *
 * @param <B> the kind of builder
 */
public abstract sealed class RpcBuilder<B extends RpcBuilder<B>>
    permits RpcServerBuilder, RpcChannelBuilder {
  @Nullable
  Path path;

  @Nullable
  String inProcessName;

  @Nullable
  Tls tls;

  int maxInboundMessageSize = 4 * 1024 * 1024;
  int maxOutboundMessageSize = 4 * 1024 * 1024;
  int maxInboundMetadataSize = 8 * 1024;

  @Nullable
  String compression;

  @Nullable
  Keepalive keepalive;

  /** Null stands for the default, which is another one for unary calls than for streams. */
  @Nullable
  Duration defaultTimeout;

  Duration closeTimeout = Duration.ofSeconds(5);
  final MethodTimeouts timeouts = new MethodTimeouts();
  final Observability observability = new Observability();
  private final boolean forClient;

  RpcBuilder(boolean forClient) {
    this.forClient = forClient;
  }

  abstract B self();

  /**
   * Sets the path of a unix-domain socket, in place of a host, address or target. A server takes
   * over a socket left there by a server that was killed; any other file is an error. It removes
   * the file when it stops. Who may connect is decided by the permissions of its directory. For a
   * channel, and for TLS, the server's name is {@code localhost}.
   */
  public B path(Path path) {
    this.path = requireNonNull(path, "path");
    return self();
  }

  /**
   * Sets a name in this process, in place of a host, address or target, for tests that need no
   * socket: a channel calls the server that has the same name.
   */
  public B inProcessName(String inProcessName) {
    this.inProcessName = Check.notBlank(inProcessName, "inProcessName", "a name");
    return self();
  }

  /**
   * Enables TLS. {@link Tls#server} has the certificate of a server, and whether clients need one;
   * {@link Tls#client} says which servers a channel trusts, and which certificate it presents.
   */
  public B tls(Tls tls) {
    this.tls = Check.tls(tls, forClient);
    return self();
  }

  /**
   * Sets how many bytes an inbound message may have, decompressed, 4 MiB by default. A longer one
   * ends its call with {@code RESOURCE_EXHAUSTED}, before memory is taken for it.
   */
  public B maxInboundMessageSize(int maxInboundMessageSize) {
    this.maxInboundMessageSize =
        Check.within(maxInboundMessageSize, 1, Integer.MAX_VALUE, "maxInboundMessageSize");
    return self();
  }

  /**
   * Sets how many bytes an outbound message may have, before it is compressed, 4 MiB by default,
   * which is what gRPC's peers accept. A longer one ends its call with {@code RESOURCE_EXHAUSTED}.
   * Health and the other standard services of a server may always send 4 MiB.
   */
  public B maxOutboundMessageSize(int maxOutboundMessageSize) {
    this.maxOutboundMessageSize =
        Check.within(maxOutboundMessageSize, 1, Integer.MAX_VALUE, "maxOutboundMessageSize");
    return self();
  }

  /**
   * Sets how many bytes the metadata of a request or a reply may have, 8 KiB by default: names and
   * values, and 32 for each entry, as HTTP/2 counts; at least 512, since gRPC adds entries of its
   * own. A call with more ends with {@code RESOURCE_EXHAUSTED}, at a server before it reaches any
   * service. One with more than four times as much, and 64 KiB, is rejected with a bare HTTP
   * status, or its connection is closed.
   */
  public B maxInboundMetadataSize(int maxInboundMetadataSize) {
    this.maxInboundMetadataSize = MetadataLimit.checked(maxInboundMetadataSize);
    return self();
  }

  /**
   * Sets how long a call may take that has no deadline of its own, from its start: at a channel all
   * attempts together, at a server with the wait for a thread. Then it ends with {@code
   * DEADLINE_EXCEEDED: call took longer than defaultTimeout PT10S}. A server cancels its {@link
   * io.grpc.Context} too, and drops a reply that the client has not taken. {@link Duration#ZERO}
   * sets no limit.
   *
   * <p>By default unary calls have one minute, and streams no limit. At a server {@code maxTimeout}
   * counts if it is less; at a channel there is no such default inside a call that has a deadline.
   * What is set here is for both: a stream that is to stay open then needs a {@code timeout} of its
   * own.
   *
   * <p>What is set for a channel is sent as the call's deadline, and a server's {@code
   * defaultTimeout} is for calls without one. The channel's default minute is not sent: there the
   * shorter one counts, and a call that may take longer than a minute needs a setting on both
   * sides.
   */
  public B defaultTimeout(Duration defaultTimeout) {
    this.defaultTimeout = Check.notNegative(defaultTimeout, "defaultTimeout");
    return self();
  }

  /**
   * Sets how long a call of one method may take, in place of {@code defaultTimeout}; {@link
   * Duration#ZERO} sets no limit for it. At a channel it is for calls that have no deadline of
   * their own. At a server it replaces {@code maxTimeout} too, and may be longer: a call without a
   * deadline, or with a later one, ends after this time. {@link RpcServerBuilder#start} fails if no
   * service has the method.
   */
  public B timeout(MethodDescriptor<?, ?> method, Duration timeout) {
    timeouts.put(method, timeout);
    return self();
  }

  /**
   * Sets how long a call may take by the name of its method, such as {@code
   * hello.Greeter/SayHello}, or of its service, such as {@code hello.Greeter}. A method's own takes
   * precedence.
   */
  public B timeout(String name, Duration timeout) {
    timeouts.put(name, timeout);
    return self();
  }

  /**
   * Sets how outbound messages are compressed, such as {@code gzip}; by default they are not.
   * Inbound messages are read compressed or not, as they come. A server compresses replies for
   * clients that accept it. The server of a channel must know the compression; a call's own {@link
   * io.grpc.CallOptions#withCompression} takes precedence. Message limits count uncompressed bytes.
   */
  public B compression(String compression) {
    this.compression = Check.notBlank(compression, "compression", "such as gzip");
    return self();
  }

  /**
   * Has calls measured or traced: {@code observe(MicrometerObserver.of(registry))}, {@code
   * observe(OpenTelemetryObserver.of(telemetry))}, or both. Of each kind the last one counts.
   */
  public B observe(RpcObserver observer) {
    observability.observe(observer);
    return self();
  }

  /**
   * Sets when connections are pinged, and how often a server's clients may ping. By default a
   * server pings after two hours, and lets clients ping every 10 seconds, also on connections
   * without calls; a channel does not ping. Its servers must permit what is set for it.
   */
  public B keepalive(Keepalive keepalive) {
    this.keepalive = requireNonNull(keepalive, "keepalive");
    return self();
  }

  /**
   * Sets how long {@link RpcServer#close} or {@link RpcChannel#close} waits for calls to end, 5
   * seconds by default.
   */
  public B closeTimeout(Duration closeTimeout) {
    this.closeTimeout = Check.notNegative(closeTimeout, "closeTimeout");
    return self();
  }
}
