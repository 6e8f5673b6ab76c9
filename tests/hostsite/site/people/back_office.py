from django.contrib.admin import AdminSite


class BackOffice(AdminSite):
    site_header = "The kennel's back office"
    index_title = "What there is to look after"

    def __init__(self, name="back-office"):
        super().__init__(name)
