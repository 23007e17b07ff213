package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What settings can be made, and what becomes of them. */
@Timeout(60)
class TlsTest {
  private static final Path CHAIN = Path.of("chain.pem");
  private static final Path KEY = Path.of("own.key");

  @TempDir
  Path directory;

  @Test
  void protocolsAreTheNewestTwo() throws Exception {
    TestCertificates known = TestCertificates.in(directory);

    assertThat(handler(known.server().serverContext(), null).engine().getEnabledProtocols())
        .containsExactlyInAnyOrder("TLSv1.3", "TLSv1.2");
    assertThat(handler(Tls.client().clientContext(), "localhost").engine().getEnabledProtocols())
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
    return handler(client.clientContext(), "localhost").getHandshakeTimeoutMillis();
  }

  @Test
  void hostNameIsNeededToVerifyIt() throws Exception {
    TlsContext strict = Tls.client().clientContext();
    TlsContext loose = Tls.client().withoutHostNameVerification().clientContext();

    refused(
        () -> handler(strict, null),
        "tls: no host name to verify (expected: a host to connect to, or"
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
    SslHandler handler = handler(tls.clientContext(), "localhost");

    assertThat(handler.engine().getEnabledProtocols()).containsExactly("TLSv1.2");
    assertThat(algorithm(handler)).isEqualTo("LDAPS");
    assertThat(handler.getHandshakeTimeoutMillis()).isEqualTo(2000);
    assertThat(handler(tls.clientContext(), null).engine().getPeerHost()).isNull();
  }

  @Test
  void contextOfTheCallerHasNoOtherSettings() throws Exception {
    Tls tls = Tls.of(SslContextBuilder.forClient().build());

    String left = ": left to the SslContext that was given (expected: Tls.server or Tls.client)";
    refused(() -> tls.trusting(CHAIN), "trusting" + left);
    refused(() -> tls.presenting(CHAIN, KEY), "presenting" + left);
    refused(tls::withoutHostNameVerification, "withoutHostNameVerification" + left);
  }

  @Test
  void serverHasNoSettingsOfAClient() {
    Tls server = Tls.server(CHAIN, KEY);

    String wrong = ": not a setting of a server (expected: Tls.client)";
    refused(() -> server.presenting(CHAIN, KEY), "presenting" + wrong);
    refused(() -> server.presenting(CHAIN, KEY, "secret"), "presenting" + wrong);
    refused(server::withoutHostNameVerification, "withoutHostNameVerification" + wrong);
  }

  @Test
  void settingsOfTheOtherSide() throws Exception {
    Tls own = Tls.of(SslContextBuilder.forClient().build());

    refused(Tls.client()::serverContext, "tls: settings of a client (expected: of a server)");
    refused(own::serverContext, "tls: settings of a client (expected: of a server)");
    // Before any file is looked for.
    refused(
        Tls.server(CHAIN, KEY)::clientContext, "tls: settings of a server (expected: of a client)");
  }

  private static void refused(ThrowingCallable call, String text) {
    assertThatThrownBy(call).isExactlyInstanceOf(IllegalStateException.class).hasMessage(text);
  }

  @Test
  void handshakeTimeoutOutOfRange() {
    assertThatThrownBy(() -> Tls.client().handshakeTimeout(Duration.ZERO))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage("handshakeTimeout: PT0S (expected: > PT0S)");
    assertThatThrownBy(() -> Tls.client().handshakeTimeout(Duration.ofMillis(-1)))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage("handshakeTimeout: PT-0.001S (expected: > PT0S)");
  }

  @Test
  @SuppressWarnings("NullAway") // It is what the test is about.
  void nullSettingsAreNamed() {
    isNull(() -> Tls.server(null, KEY), "certificateChain");
    isNull(() -> Tls.server(CHAIN, null), "privateKey");
    isNull(() -> Tls.server(CHAIN, KEY, null), "password");
    isNull(() -> Tls.client().presenting(null, KEY), "certificateChain");
    isNull(() -> Tls.client().presenting(CHAIN, null), "privateKey");
    isNull(() -> Tls.client().presenting(CHAIN, KEY, null), "password");
    isNull(() -> Tls.client().trusting(null), "authorities");
    isNull(() -> Tls.client().handshakeTimeout(null), "handshakeTimeout");
    isNull(() -> Tls.of(null), "context");
  }

  private static void isNull(ThrowingCallable call, String name) {
    assertThatThrownBy(call).isExactlyInstanceOf(NullPointerException.class).hasMessage(name);
  }

  @Test
  void textHidesThePassword() {
    assertThat(Tls.server(CHAIN, KEY, "secret").trusting(Path.of("ca.pem")))
        .hasToString("Tls[server, certificateChain=chain.pem, privateKey=own.key,"
            + " authorities=ca.pem, handshakeTimeout=PT10S]");
    assertThat(Tls.client().withoutHostNameVerification())
        .hasToString("Tls[client, verifiesHostNames=false, handshakeTimeout=PT10S]");
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

    static Object newClientContext() throws IOException {
      return Tls.client().trusting(CHAIN).presenting(CHAIN, KEY).clientContext();
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
      if (loaded != null || !name.startsWith("dev.mullion.framing.tcp.")) {
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
