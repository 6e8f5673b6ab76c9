"""Projects: making, changing and deleting them."""

from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from pavilion import pools
from pavilion.exceptions import NameTaken
from pavilion.models import Project
from queues.admin.writing import WriterForm, WrittenAdmin
from queues.exceptions import InvalidInput
from queues.people import shown


class ProjectForm(WriterForm):
    """A project."""

    class Meta:
        model = Project
        fields = ["name", "description"]

    def write(self) -> Project:
        try:
            if self.instance.pk is None:
                return pools.create_project(**self.cleaned_data, actor=self.actor)
            return pools.update_project(project_id=self.instance.pk, changes=self.changes("name", "description"))
        except NameTaken as taken:
            raise InvalidInput.at("/name", taken.detail) from None


@admin.register(Project)
class ProjectAdmin(WrittenAdmin):
    """A project is deleted only where it has no pool."""

    form = ProjectForm
    list_display = ["name", "pools", "person", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    ordering = ["name"]
    sortable_by = ["name", "created_at"]
    change_form_template = "admin/crowd_pavilion/project/change_form.html"
    remove_verb = _("Delete the project")

    @admin.display(description=_("owner"))
    def person(self, project: Project) -> str:
        return shown(project.owner)

    @admin.display(description=_("pools"))
    def pools(self, project: Any) -> str:
        url = reverse("admin:crowd_pavilion_pool_changelist", current_app=self.admin_site.name)
        label = _("Pools of %(project)s") % {"project": project}
        return format_html(
            '<a href="{}?project__id__exact={}" title="{}">{}</a>', url, project.pk, label, project.number
        )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(number=Count("pools"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "description", *(["person", "created_at"] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["person", "created_at"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or not obj.pools.exists()) and super().has_delete_permission(request, obj)

    def consequences(self, obj: Project) -> list[Any]:
        return [_("It is gone, and its name is free for another.")]

    def remove(self, request: HttpRequest, obj: Project) -> None:
        pools.delete_project(project_id=obj.pk)
