"""VTODO files in the shapes that programs write, as public reports show them.

Texts, names and ids are replaced.
"""

_ZONES = """\
BEGIN:VTIMEZONE
TZID:{tzid}
BEGIN:STANDARD
DTSTART:16010101T020000
TZOFFSETFROM:{summer}
TZOFFSETTO:{winter}
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY={autumn};BYMONTH={autumn_month}
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:{winter}
TZOFFSETTO:{summer}
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY={spring};BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""
EUROPE = {
    "summer": "+0200",
    "winter": "+0100",
    "autumn": "-1SU",
    "autumn_month": "10",
    "spring": "-1SU",
}
AMERICA = {
    "summer": "-0500",
    "winter": "-0600",
    "autumn": "1SU",
    "autumn_month": "11",
    "spring": "2SU",
}


def zone(tzid: str, **rules: str) -> str:
    return _ZONES.format(tzid=tzid, **rules)


def calendar(*parts: str) -> str:
    inside = "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{inside}END:VCALENDAR\n"


def vtodo(*lines: str, uid: str = "1") -> str:
    inside = "\n".join([f"UID:{uid}", *lines] if uid else lines)
    return f"BEGIN:VTODO\n{inside}\nEND:VTODO\n"


REPORTS = {
    # Nextcloud Tasks: alainm23/planify PR #2227
    "nextcloud": calendar(
        "PRODID:-//Nextcloud Tasks v0.17.1",
        vtodo(
            "CREATED:20260201T131326Z",
            "LAST-MODIFIED:20260201T134703Z",
            "DTSTAMP:20260201T134703Z",
            "SUMMARY:Task 2",
            "X-APPLE-SORT-ORDER:791645602",
            uid="b7a8f963-0000-4000-8000-358318e7af2a",
        ),
    ),
    # Tasks.org by way of Nextcloud: alainm23/planify#1206
    "tasks.org": calendar(
        "PRODID:+//IDN tasks.org//android-130000//EN",
        vtodo(
            "DTSTAMP:20240320T081235Z",
            "SEQUENCE:3",
            "CREATED:20240318T220730Z",
            "LAST-MODIFIED:20240320T081233Z",
            "SUMMARY:Order spare parts",
            "PRIORITY:5",
            "STATUS:NEEDS-ACTION",
            "RELATED-TO;RELTYPE=PARENT:93a0e54d-0000-4000-8000-3a4c9e02d8e8",
            "PERCENT-COMPLETE:0",
            "BEGIN:VALARM",
            "TRIGGER;RELATED=END:PT0S",
            "ACTION:DISPLAY",
            "DESCRIPTION:Default Tasks.org description",
            "END:VALARM",
            uid="0d8ad92f-0000-4000-8000-7e7e61fa77ee",
        ),
    ),
    # Nextcloud Deck: home-assistant/core#75722
    "deck": calendar(
        "CALSCALE:GREGORIAN",
        "PRODID:-//SabreDAV//SabreDAV//EN",
        "X-WR-CALNAME:Deck: Groceries",
        "X-APPLE-CALENDAR-COLOR:#e8e843",
        "REFRESH-INTERVAL;VALUE=DURATION:PT4H",
        vtodo(
            "DTSTAMP:20220725T130939Z",
            "DUE:20220725T220000Z",
            "RELATED-TO:deck-stack-8",
            "STATUS:NEEDS-ACTION",
            "SUMMARY:Shopping",
            "DESCRIPTION:",
            uid="deck-card-4",
        ),
        vtodo("DTSTAMP:20220725T131137Z", "SUMMARY:List : TODO", uid="deck-stack-8"),
    ),
    # OpenTasks and aCalendar: pimutils/todoman#336
    "opentasks": calendar(
        "PRODID:-//dmfs.org//mimedir.icalendar//EN",
        vtodo(
            "DTSTAMP:20181119T080000Z",
            "SUMMARY:Call the bank",
            "DTSTART:",
            "STATUS:",
            "COMPLETED:",
            uid="4182454",
        ),
    ),
    # Nextcloud by way of another client: iobroker-community-adapters/ioBroker.ical#407
    "local times": calendar(
        vtodo(
            "CREATED:20190627T165810",
            "LAST-MODIFIED:20191119T111724",
            "DTSTAMP:20191119T111724",
            "SUMMARY: Irgendeine Aufgabe",
            "PERCENT-COMPLETE:70",
            "STATUS:IN-PROCESS",
            "DESCRIPTION:",
            uid=" ",
        ),
    ),
    # OutlookDAV: owncloud/tasks#272
    "no uid": calendar(vtodo("DTSTAMP:20151007T080000Z", "SUMMARY:Ring back", uid="")),
    # 2Do: nextcloud/server#7771, sabre-io/dav#986
    "2Do": calendar(
        vtodo(
            "DTSTAMP:20180110T080000Z",
            "SUMMARY:Pack",
            "DTSTART;VALUE=DATE:20180111",
            "DUE;TZID=Europe/Vienna:20180112T180000",
        ),
    ),
    # Thunderbird: tasks/tasks#2270
    "thunderbird": calendar(
        "PRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN",
        "BEGIN:VTIMEZONE\n"
        "TZID:Europe/Copenhagen\n"
        "X-TZINFO:Europe/Copenhagen[2024a]\n"
        "BEGIN:STANDARD\n"
        "TZOFFSETTO:+010000\n"
        "TZOFFSETFROM:+005328\n"
        "TZNAME:Europe/Copenhagen(STD)\n"
        "DTSTART:18930401T000000\n"
        "RDATE:18930401T000000\n"
        "END:STANDARD\n"
        "END:VTIMEZONE\n",
        vtodo(
            "CREATED:20240901T080000Z",
            "LAST-MODIFIED:20240901T080100Z",
            "DTSTAMP:20240901T080100Z",
            "SUMMARY:Water the plants",
            "STATUS:NEEDS-ACTION",
            "RRULE:FREQ=WEEKLY;BYDAY=MO,TH",
            "EXDATE;TZID=Europe/Copenhagen:20240909T090000",
            "CATEGORIES:Home,Garden",
            "DTSTART;TZID=Europe/Copenhagen:20240902T090000",
            "DUE;TZID=Europe/Copenhagen:20240902T100000",
            "X-MOZ-LASTACK:20240901T080100Z",
            "X-MOZ-GENERATION:2",
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            "TRIGGER;VALUE=DURATION:-PT15M",
            "DESCRIPTION:Default Mozilla Description",
            "END:VALARM",
            uid="c731b333-0000-4000-8000-8fecd6e18565",
        ),
    ),
    # Exchange: mguessan/davmail#357
    "exchange": calendar(
        "METHOD:REQUEST",
        "PRODID:Microsoft Exchange Server 2010",
        zone("Central Standard Time", **AMERICA),
        vtodo(
            "ORGANIZER;CN=A Person:mailto:someone@example.com",
            "DESCRIPTION;LANGUAGE=en-CA:A note",
            "SUMMARY;LANGUAGE=en-CA:Send the report",
            "DTSTAMP:20240530T120000Z",
            "DUE;TZID=Central Standard Time:20240530T130000",
            "CLASS:PUBLIC",
            "X-MICROSOFT-CDO-IMPORTANCE:1",
            uid="040000008200E00074C5B7101A82E0080000000037D1CD0ADDB1DA01000000000000000\n"
            " 0100000004ABACBF9E1E8E048A49157F1874D9D33",
        ),
    ),
    # Exchange by way of TbSync: jobisoft/TbSync#110
    "trailing NULs": calendar(
        "METHOD:PUBLISH",
        "PRODID:Microsoft Exchange Server 2010",
        zone("W. Europe Standard Time" + 9 * "\x00", **EUROPE),
        vtodo(
            "DTSTAMP:20200317T080000Z",
            "SUMMARY;LANGUAGE=de-DE:FOO",
            f"DUE;TZID=W. Europe Standard Time{9 * chr(0)}:20200322T190000",
        ),
    ),
    # Evolution, with a zone that has no rules: Kozea/Radicale#1201
    "evolution": calendar(
        "PRODID:-//Ximian//NONSGML Evolution Calendar//EN",
        "METHOD:PUBLISH",
        "BEGIN:VTIMEZONE\n"
        "TZID:/freeassociation.sourceforge.net/Europe/Paris\n"
        "X-LIC-LOCATION:Europe/Paris\n"
        "END:VTIMEZONE\n",
        vtodo(
            "DTSTAMP:20211228T212831Z",
            "SUMMARY:test",
            "DUE;TZID=/freeassociation.sourceforge.net/Europe/Paris:20220101T100000",
            "PERCENT-COMPLETE:0",
            "CLASS:PUBLIC",
            "SEQUENCE:1",
            "CREATED:20211231T130337Z",
            "LAST-MODIFIED:20211231T130337Z",
            uid="f0021b0b00000000000000000000000000000c25",
        ),
    ),
    # jtx Board: lennart-k/rustical#226
    "jtx board": calendar(
        "PRODID:DAVx5/4.5.12-ose ical4j/4.2.5 (at.techbee.jtx)",
        vtodo(
            "DTSTAMP:20260531T070527Z",
            "SEQUENCE:76",
            "CREATED:20260401T092943Z",
            "LAST-MODIFIED:20260531T064216Z",
            "SUMMARY:An appointment",
            "DESCRIPTION:A note",
            "STATUS:NEEDS-ACTION",
            "DTSTART:20260412T070000",
            "RRULE:FREQ=DAILY;UNTIL=20270331T073400",
            "DUE:20260412T070000",
            uid="080c8a25-0000-4000-8000-bf48c669f209",
        ),
    ),
    # Tasks.org: alainm23/planify PR #2380
    "only percent": calendar(
        vtodo("DTSTAMP:20260418T080000Z", "SUMMARY:Subtask", "PERCENT-COMPLETE:100", uid="s")
    ),
    # Apple Reminders, as forwardemail/forwardemail.net PR #424 tests it
    "apple": calendar(
        "CALSCALE:GREGORIAN",
        "PRODID:-//Apple Inc.//macOS 14.5//EN",
        vtodo(
            "CREATED:20250823T090000Z",
            "DTSTAMP:20250823T091500Z",
            "LAST-MODIFIED:20250823T091500Z",
            "SUMMARY:Pay the rent",
            "DUE;VALUE=DATE:20250901",
            "COMPLETED:20250823T091500Z",
            "PERCENT-COMPLETE:100",
            "STATUS:COMPLETED",
            "SEQUENCE:1",
            "X-APPLE-SORT-ORDER:777632400",
            "BEGIN:VALARM",
            "UID:6D7A9C0E-0000-4000-8000-6C3B2A1F0E9D",
            "ACTION:DISPLAY",
            "DESCRIPTION:Reminder",
            "TRIGGER;VALUE=DATE-TIME:20250901T070000Z",
            "X-APPLE-PROXIMITY:DEPART",
            'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS="1 Street\\nTown";'
            'X-TITLE="Home: garden, shed":geo:48.0,11.0',
            "END:VALARM",
            uid="8C9F7B4E-0000-4000-8000-2A1B0C9D8E7F",
        ),
    ),
}
