package dev.mullion.examples.capitals;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.grpc.GrpcEngine;
import dev.mullion.messaging.grpc.MessagingServer;
import dev.mullion.rpc.RpcChannel;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Asks for capitals, in one process or in two, or on a broker. */
@Command(name = "capitals", description = "Asks for the capitals of countries.")
public final class CapitalsMain implements Callable<Integer> {
  @Spec
  private CommandSpec spec;

  @ArgGroup
  private final Network network = new Network();

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  @Parameters(
      paramLabel = "COUNTRY",
      arity = "0..*",
      defaultValue = "France",
      description = "countries to ask for (default: ${DEFAULT-VALUE})")
  private List<String> countries;

  private static final class Network {
    @Option(
        names = "--serve",
        paramLabel = "[HOST:]PORT",
        converter = HostPort.Converter.class,
        description = "answers other processes until Ctrl-C; port 0 for any")
    private HostPort serve;

    @Option(
        names = "--connect",
        paramLabel = "HOST:PORT",
        converter = HostPort.Converter.class,
        description = "asks the process that serves there")
    private HostPort connect;

    @ArgGroup(exclusive = false)
    private BrokerOptions broker;
  }

  private CapitalsMain() {}

  public static void main(String[] args) {
    CommandLine program = new CommandLine(new CapitalsMain());
    System.exit(program.setCaseInsensitiveEnumValuesAllowed(true).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    rejectUnused();
    try {
      if (network.serve != null) {
        return serve(network.serve);
      }
      if (network.broker != null) {
        return onBroker(network.broker);
      }
      return network.connect != null ? connect(network.connect) : inOneProcess();
    } catch (IOException | IllegalArgumentException e) {
      System.err.println("capitals: " + e.getMessage());
      return 1;
    }
  }

  /** Rejects countries that nobody here would ask for. */
  private void rejectUnused() {
    boolean isUsed = network.serve == null && (network.broker == null || network.broker.sends());
    if (!isUsed && spec.commandLine().getParseResult().hasMatchedPositional(0)) {
      throw new ParameterException(
          spec.commandLine(), "COUNTRY: not with --serve or --only=receiver, which ask for none");
    }
  }

  private int inOneProcess() throws IOException, InterruptedException {
    try (Messaging messaging = Messaging.embedded()) {
      messaging.reply(Capitals.CAPITALS, Capitals::answer);
      return Capitals.ask(messaging, countries) ? 0 : 1;
    }
  }

  private int serve(HostPort at) throws IOException, InterruptedException {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(broker);
        MessagingServer server = MessagingServer.builder(broker)
            .host(at.host())
            .port(at.port())
            .shutdownHook(true)
            .start()) {
      messaging.reply(Capitals.CAPITALS, Capitals::answer);
      System.out.println("listening on " + at.host() + ":" + server.port());
      server.awaitTermination();
      return 0;
    }
  }

  private int connect(HostPort to) throws IOException, InterruptedException {
    try (RpcChannel channel = RpcChannel.builder().address(to.host(), to.port()).build();
        Messaging messaging = Messaging.on(GrpcEngine.on(channel))) {
      return Capitals.ask(messaging, countries) ? 0 : 1;
    }
  }

  private int onBroker(BrokerOptions broker) throws IOException, InterruptedException {
    try (Messaging messaging = broker.start()) {
      if (broker.receives()) {
        Subscription replier = messaging.reply(Capitals.CAPITALS, Capitals::answer);
        replier.ready().toCompletableFuture().join();
      }
      if (broker.sends()) {
        return Capitals.ask(messaging, countries) ? 0 : 1;
      }
      Runtime.getRuntime().addShutdownHook(new Thread(messaging::close));
      System.out.println("answering");
      new CountDownLatch(1).await();
      return 0;
    }
  }
}
