package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of TLS settings in a framed server or client. */
@Timeout(60)
class TlsContextTest {
  private static final Path CHAIN = Path.of("chain.pem");
  private static final Path KEY = Path.of("own.key");

  @TempDir
  Path directory;

  private static TlsContext context(Tls tls) throws IOException {
    return requireNonNull(TlsContext.of(tls, new TcpCounters()));
  }

  @Test
  void protocolsAreTheNewestTwo() throws Exception {
    Certificates known = Certificates.in(directory);

    assertThat(handler(context(known.server()), null).engine().getEnabledProtocols())
        .containsExactlyInAnyOrder("TLSv1.3", "TLSv1.2");
    assertThat(handler(context(Tls.client()), "localhost").engine().getEnabledProtocols())
        .containsExactlyInAnyOrder("TLSv1.3", "TLSv1.2");
  }

  @Test
  void handshakeTimeoutIsRoundedUpToAMillisecond() throws Exception {
    assertThat(timeoutMillis(Tls.client())).isEqualTo(10_000);
    assertThat(timeoutMillis(Tls.client().handshakeTimeout(Duration.ofSeconds(3))))
        .isEqualTo(3000);
    assertThat(timeoutMillis(Tls.client().handshakeTimeout(Duration.ofNanos(1))))
        .isEqualTo(1);
    assertThat(timeoutMillis(Tls.client().handshakeTimeout(Duration.ofSeconds(Long.MAX_VALUE))))
        .isEqualTo(Long.MAX_VALUE);
  }

  private static long timeoutMillis(Tls client) throws Exception {
    return handler(context(client), "localhost").getHandshakeTimeoutMillis();
  }

  @Test
  void hostNameIsNeededToVerifyIt() throws Exception {
    TlsContext strict = context(Tls.client());
    TlsContext loose = context(Tls.client().withoutHostNameVerification());

    assertThatIllegalStateException()
        .isThrownBy(() -> handler(strict, null))
        .withMessage("tls: no host name to verify (expected: a host to connect to, or"
            + " withoutHostNameVerification)");
    assertThat(algorithm(handler(strict, "localhost"))).isEqualTo("HTTPS");
    assertThat(algorithm(handler(loose, "localhost"))).isNullOrEmpty();
    assertThat(algorithm(handler(loose, null))).isNullOrEmpty();
  }

  private static SslHandler handler(TlsContext context, @Nullable String host) {
    return context.newHandler(UnpooledByteBufAllocator.DEFAULT, host, 443);
  }

  private static @Nullable String algorithm(SslHandler handler) {
    return handler.engine().getSSLParameters().getEndpointIdentificationAlgorithm();
  }

  @Test
  void contextOfTheCallerIsTakenAsItIs() throws Exception {
    SslContext context = SslContextBuilder.forClient()
        .protocols("TLSv1.2")
        .endpointIdentificationAlgorithm("LDAPS")
        .build();

    Tls tls = Tls.of(context).handshakeTimeout(Duration.ofSeconds(2));
    SslHandler handler = handler(context(tls), "localhost");

    assertThat(handler.engine().getEnabledProtocols()).containsExactly("TLSv1.2");
    assertThat(algorithm(handler)).isEqualTo("LDAPS");
    assertThat(handler.getHandshakeTimeoutMillis()).isEqualTo(2000);
    assertThat(handler(context(tls), null).engine().getPeerHost()).isNull();
  }

  /** At the setter, as with gRPC servers and channels. */
  @Test
  void settingsOfTheOtherSideAreRejected() throws Exception {
    Tls own = Tls.of(SslContextBuilder.forClient().build());

    assertThatIllegalArgumentException()
        .isThrownBy(() -> FramedServer.builder().tls(Tls.client()))
        .withMessage("tls: client settings (expected: server settings)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> FramedServer.builder().tls(own))
        .withMessage("tls: client settings (expected: server settings)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> FramedClient.builder().tls(Tls.server(CHAIN, KEY)))
        .withMessage("tls: server settings (expected: client settings)");
  }

  /** Without it, the class loads, and the error says what is missing. */
  @Test
  void nettyHandlerIsMissing() throws Exception {
    Class<?> caller = new WithoutNettyHandler().loadClass(Caller.class.getName());
    Method call = caller.getDeclaredMethod("newClientContext");
    call.setAccessible(true);

    assertThatThrownBy(() -> call.invoke(null))
        .isExactlyInstanceOf(InvocationTargetException.class)
        .cause()
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("tls needs io.netty:netty-handler on the class path")
        .hasCauseExactlyInstanceOf(ClassNotFoundException.class);
  }

  static final class Caller {
    private Caller() {}

    static @Nullable Object newClientContext() throws IOException {
      return TlsContext.of(Tls.client().trusting(CHAIN), new TcpCounters());
    }
  }

  private static final class WithoutNettyHandler extends ClassLoader {
    WithoutNettyHandler() {
      super(WithoutNettyHandler.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (name.startsWith("io.netty.handler.ssl.")) {
        throw new ClassNotFoundException(name);
      }
      Class<?> loaded = findLoadedClass(name);
      if (loaded != null || !name.startsWith("dev.mullion.")) {
        return loaded == null ? super.loadClass(name, resolve) : loaded;
      }
      try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
        if (in == null) {
          throw new ClassNotFoundException(name);
        }
        byte[] bytes = in.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException e) {
        throw new ClassNotFoundException(name, e);
      }
    }
  }
}
