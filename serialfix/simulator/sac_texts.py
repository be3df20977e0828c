"""What the Special Administration Console says, word for word: windows-sac.md 1.1 to 1.7."""

CMD_AVAILABLE = "EVENT: The CMD command is now available."
CMD_UNAVAILABLE = "EVENT: The CMD command is unavailable."
CREATED = 'EVENT:   A new channel has been created.  Use "ch -?" for channel help.\r\nChannel: {0}'
CLOSED = "EVENT:   A channel has been closed.\r\nChannel: {0}"
BANNER = (
    "\r\n\r\nComputer is booting, SAC started and initialized.\r\n\r\n"
    'Use the "ch -?" command for information about using channels.\r\n'
    'Use the "?" command for general help.\r\n\r\n\r\nSAC>'
)
PRELUDE = (
    '<?xml version="1.0"?>\r\n<machine-info>\r\n<name>{name}</name>\r\n<guid>{guid}</guid>\r\n'
    "<processor-architecture>AMD64</processor-architecture>\r\n<os-version>10.0</os-version>\r\n"
    "<os-build-number>{build}</os-build-number>\r\n<os-product>{product}</os-product>\r\n"
    "<os-service-pack>None</os-service-pack>\r\n</machine-info>\r\n"
)
HELP = """\
ch                   Channel management commands.  Use ch -? for more help.
cmd                  Create a Command Prompt channel.
d                    Dump the current kernel log.
f                    Toggle detailed or abbreviated tlist info.
? or help            Display this list.
i                    List all IP network numbers and their IP addresses.
i <#> <ip> <subnet> <gateway> Set IPv4 addr., subnet and gateway.
id                   Display the computer identification information.
k <pid>              Kill the given process.
l <pid>              Lower the priority of a process to the lowest possible.
lock                 Lock access to Command Prompt channels.
m <pid> <MB-allow>   Limit the memory usage of a process to <MB-allow>.
p                    Toggle paging the display.
r <pid>              Raise the priority of a process by one.
s                    Display the current time and date (24 hour clock used).
s mm/dd/yyyy hh:mm   Set the current time and date (24 hour clock used).
t                    Tlist.
restart              Restart the system immediately.
shutdown             Shutdown the system immediately.
crashdump            Crash the system. You must have crash dump enabled.
"""
CHANNEL_HELP = """\
Channel management commands:

ch                   List all channels.

Status Legend: (AB)
A: Channel operational status
    'A' = Channel is active.
    'I' = Channel is inactive.
B: Channel Type
    'V' = VT-UTF8 emulation.
    'R' = Raw - no emulation.

ch -si <#>           Switch to a channel by its number.
ch -sn <name>        Switch to a channel by its name.
ch -ci <#>           Close a channel by its number.
ch -cn <name>        Close a channel by its name.

Press <esc><tab> to select a channel.
Press <esc><tab>0 to return to the SAC channel.
"""
NOT_REGISTERED = """\
Error: Unable to launch a Command Prompt.  The service responsible for launching
       Command Prompt channels has not yet registered.  This may be because the
       service is not yet started, is disabled by the administrator, is
       malfunctioning or is unresponsive.
"""
DISABLED = "Launching of Command Prompt channels is disabled.\n"
TOO_MANY = "The maximum number of channels has been reached.\n"
LAUNCHED = "The Command Prompt session was successfully launched.\n"
NO_INDEX = "Error: There is no channel present at the specified index.\n"
NO_NAME = "Error: Could not find a channel with that name.\n"
NOT_CLOSABLE = "Error: The SAC channel cannot be closed.\n"
PARAMETER = "A parameter was incorrect or missing.  Try the 'help' command for more details.\n"
UNKNOWN = "Unrecognized command.  Try the 'help' command for more details.\n"
MORE = "----Press <Enter> for more----"
GOING = "The SAC will become unavailable soon.  The computer is shutting down."
HEADER = """\
Name:                  {name}
Description:           {description}
Type:                  VT-UTF8
Channel GUID:          {guid}
Application Type GUID: {application}

Press <esc><tab> for next channel.
Press <esc><tab>0 to return to the SAC channel.
Use any other key to view this channel.
"""
SAC_APPLICATION = "63d02270-8aa4-11d5-bccf-806d6172696f"
CMD_APPLICATION = "63d02271-8aa4-11d5-bccf-00b0d014a2d0"
BLUE_SCREEN = (
    '\r\n<INSTANCE CLASSNAME="BLUESCREEN">\r\n<PROPERTY NAME="STOPCODE" TYPE="string"><VALUE>"0xE2"</VALUE></PROPERTY>'
    "<machine-info>\r\n<name>{name}</name>\r\n<guid>{guid}</guid>\r\n<processor-architecture>AMD64</processor-architecture>\r\n"
    "<os-version>10.0</os-version>\r\n<os-build-number>{build}</os-build-number>\r\n<os-product>{product}</os-product>\r\n"
    "<os-service-pack>None</os-service-pack>\r\n</machine-info>\r\n</INSTANCE>\r\n\r\n!SAC>"
)
EARLY_HELP = (
    "d        Display all log entries, paging is on.\r\nhelp     Display this list.\r\n"
    "restart  Restart the system immediately.\r\nid       Display machine identification information.\r\n"
    "q        Quit and allow normal EMS port usage.\r\n"
)


def lines(text: str) -> str:
    """Return a text with the line ends of the line."""
    return text.replace("\n", "\r\n")
