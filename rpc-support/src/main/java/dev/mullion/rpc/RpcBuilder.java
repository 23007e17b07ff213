package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.Tls;
import dev.mullion.net.base.Check;
import io.grpc.MethodDescriptor;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The settings shared by {@link RpcServer} and {@link RpcChannel}. Not safe for use by several
 * threads.
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

  /** Null means the default, which differs between unary calls and streams. */
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
   * Sets the path of a unix-domain socket, instead of a host, address or target. A server replaces
   * a socket left by a killed server; any other file is an error. It removes the file when it
   * stops. The permissions of the directory decide who may connect. For a channel, and for TLS, the
   * server's name is {@code localhost}.
   */
  public B path(Path path) {
    this.path = requireNonNull(path, "path");
    return self();
  }

  /**
   * Sets an in-process name, instead of a host, address or target, for tests without sockets. A
   * channel calls the server with the same name.
   */
  public B inProcessName(String inProcessName) {
    this.inProcessName = Check.notBlank(inProcessName, "inProcessName", "a name");
    return self();
  }

  /**
   * Enables TLS. {@link Tls#server} takes the certificate of a server, and may require client
   * certificates. {@link Tls#client} defines which authorities a channel trusts, and which
   * certificate it presents.
   */
  public B tls(Tls tls) {
    this.tls = Check.tls(tls, forClient);
    return self();
  }

  /**
   * Sets the maximum size of an inbound message in bytes after decompression, 4 MiB by default. A
   * larger message ends its call with {@code RESOURCE_EXHAUSTED}, before memory is allocated for
   * it.
   */
  public B maxInboundMessageSize(int maxInboundMessageSize) {
    this.maxInboundMessageSize =
        Check.within(maxInboundMessageSize, 1, Integer.MAX_VALUE, "maxInboundMessageSize");
    return self();
  }

  /**
   * Sets the maximum size of an outbound message in bytes before compression. The default is 4 MiB,
   * the default inbound limit of gRPC peers. A larger message ends its call with {@code
   * RESOURCE_EXHAUSTED}. Health and the other standard services of a server may always send 4 MiB.
   */
  public B maxOutboundMessageSize(int maxOutboundMessageSize) {
    this.maxOutboundMessageSize =
        Check.within(maxOutboundMessageSize, 1, Integer.MAX_VALUE, "maxOutboundMessageSize");
    return self();
  }

  /**
   * Sets the maximum size of the metadata of a request or a reply in bytes, 8 KiB by default. As in
   * HTTP/2, this counts names and values, and 32 bytes for each entry. The minimum is 512, since
   * gRPC adds entries of its own. A call with more ends with {@code RESOURCE_EXHAUSTED}; on a
   * server this happens before a service sees it. A call with more than four times the limit, and
   * more than 64 KiB, is rejected with a bare HTTP status, or its connection is closed.
   */
  public B maxInboundMetadataSize(int maxInboundMetadataSize) {
    this.maxInboundMetadataSize = MetadataLimit.checked(maxInboundMetadataSize);
    return self();
  }

  /**
   * Sets the timeout of calls without a deadline of their own. On a channel it covers all attempts;
   * on a server it includes the wait for a thread. When it passes, the call ends with {@code
   * DEADLINE_EXCEEDED: call took longer than defaultTimeout PT10S}. A server also cancels the
   * call's {@link io.grpc.Context}, and drops replies that the client has not read. {@link
   * Duration#ZERO} sets no limit.
   *
   * <p>By default unary calls have one minute, and streams have no limit. On a server, {@code
   * maxTimeout} applies if it is less. On a channel, the default does not apply to calls made
   * inside a call that has a deadline. A value set here applies to unary calls and streams: a
   * stream that must stay open then needs a {@code timeout} of its own.
   *
   * <p>A channel sends the value that is set as the call's deadline, so the {@code defaultTimeout}
   * of the server does not apply. The channel's default of one minute is not sent: then the shorter
   * of the two applies, and a call that may take longer than a minute needs a setting on both
   * sides.
   */
  public B defaultTimeout(Duration defaultTimeout) {
    this.defaultTimeout = Check.notNegative(defaultTimeout, "defaultTimeout");
    return self();
  }

  /**
   * Sets the timeout of calls of one method, which replaces {@code defaultTimeout}; {@link
   * Duration#ZERO} sets no limit. On a channel it applies to calls without a deadline of their own.
   * On a server it also replaces {@code maxTimeout}, and may be longer: a call without a deadline,
   * or with a later one, ends after this time. {@link RpcServerBuilder#start} fails if no service
   * has the method.
   */
  public B timeout(MethodDescriptor<?, ?> method, Duration timeout) {
    timeouts.put(method, timeout);
    return self();
  }

  /**
   * Sets the timeout of calls by the name of their method, such as {@code hello.Greeter/SayHello},
   * or of their service, such as {@code hello.Greeter}. The timeout of a method takes precedence
   * over that of its service.
   */
  public B timeout(String name, Duration timeout) {
    timeouts.put(name, timeout);
    return self();
  }

  /**
   * Sets the compression of outbound messages, such as {@code gzip}; off by default. Inbound
   * messages may be compressed or not, whatever is set here. A server compresses replies for
   * clients that accept the compression. The servers of a channel must support it; a call's own
   * {@link io.grpc.CallOptions#withCompression} takes precedence. Size limits apply to uncompressed
   * messages.
   */
  public B compression(String compression) {
    this.compression = Check.notBlank(compression, "compression", "such as gzip");
    return self();
  }

  /**
   * Adds an observer that measures or traces calls: {@code
   * observe(MicrometerObserver.of(registry))}, {@code
   * observe(OpenTelemetryObserver.of(telemetry))}, or both. A second observer of the same kind
   * replaces the first.
   */
  public B observe(RpcObserver observer) {
    observability.observe(observer);
    return self();
  }

  /**
   * Sets when connections are pinged, and how often the clients of a server may ping. By default a
   * server pings after two hours, and permits a ping from clients every 10 seconds, even without
   * open calls. A channel does not ping by default; its servers must permit the rate that is set.
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
