package dev.mullion.rpc;

import io.grpc.ServerServiceDefinition;
import io.grpc.protobuf.services.ChannelzService;
import io.grpc.services.AdminInterface;
import java.util.List;

/** The services that let tools inspect a process. */
final class AdminServices {
  /** The page size of gRPC's own admin services. */
  private static final int PAGE_SIZE = 100;

  private AdminServices() {}

  /** The admin services are channelz and the others that are present. */
  static List<ServerServiceDefinition> definitions(boolean channelz, boolean admin) {
    if (admin) {
      return AdminInterface.getStandardServices();
    }
    return channelz ? List.of(ChannelzService.newInstance(PAGE_SIZE).bindService()) : List.of();
  }
}
